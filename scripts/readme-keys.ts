/** A plugin's README.md: its table of configuration keys, made from the keys and compared with them, and its sections. */
import type { KeyDescription } from "../spec/key-description.ts";
import { mergeKeys } from "./schemas/key-schema.ts";

interface Row {
  /** `mtu`, `runtimeConfig.mac`, `vlanTrunk[].id`, `ranges[][].subnet`. */
  readonly path: string;
  readonly key: KeyDescription;
}

const HEADER = ["| key | type | default | meaning |", "|---|---|---|---|"];

/** The sections that every README has; what a plugin is like stands between them. */
const FIRST = ["Keys", "Example"];
const LAST = ["What it leaves on the host", "Differences from the reference plugin"];

/** The table as Markdown. */
export function keyTable(keys: readonly KeyDescription[]): string {
  const lines = rowsOf(keys, "").map(({ path, key }) => {
    const fallback = key.fallback === "" || key.fallback === '""' ? "" : `\`${key.fallback}\``;
    return `| \`${path}\` | ${typeWords(key)} | ${key.required ? "required" : fallback} | ${cell(key.meaning)} |`;
  });
  return [...HEADER, ...lines].join("\n");
}

/** What is wrong with a README's table of keys; nothing when it lists just these keys. */
export function readmeProblems(readme: string, keys: readonly KeyDescription[]): string[] {
  const wanted = rowsOf(keys, "").map((row) => row.path);
  const listed = listedKeys(readme);
  if (listed === undefined) return [`there is no table of keys: it starts with "${HEADER[0]}"`];
  const problems: string[] = [];
  for (const path of wanted) {
    if (!listed.includes(path)) problems.push(`the plugin reads \`${path}\`, which the table does not list`);
  }
  for (const [index, path] of listed.entries()) {
    if (!wanted.includes(path)) problems.push(`the table lists \`${path}\`, which the plugin does not read`);
    if (listed.indexOf(path) < index) problems.push(`the table lists \`${path}\` twice`);
  }
  return problems;
}

/** Why an operator would not find a README's sections where the others have them; nothing when they are there. */
export function layoutProblems(readme: string): string[] {
  const headings: string[] = [];
  for (const line of readme.split("\n")) if (line.startsWith("## ")) headings.push(line.slice(3));
  const problems: string[] = [];
  if (headings.slice(0, 2).join() !== FIRST.join()) problems.push(`its sections begin with ${FIRST.join(" and ")}`);
  if (headings.slice(-2).join() !== LAST.join()) problems.push(`its sections end with ${LAST.join(" and ")}`);
  return problems;
}

/** The first cells of every table whose first column is headed "key"; `undefined` when there is no such table. */
function listedKeys(readme: string): string[] | undefined {
  let listed: string[] | undefined;
  let inTable = false;
  for (const line of readme.split("\n")) {
    if (!line.startsWith("|")) inTable = false;
    else if (/^\|\s*key\s*\|/i.test(line)) {
      inTable = true;
      listed ??= [];
    } else if (inTable) {
      const path = /^\|\s*`([^`]+)`\s*\|/.exec(line)?.[1];
      if (path !== undefined) listed?.push(path);
    }
  }
  return listed;
}

function rowsOf(keys: readonly KeyDescription[], prefix: string): Row[] {
  return mergeKeys(keys).flatMap((key) => {
    const path = prefix + key.name;
    const brackets = key.kind !== "array" ? "" : key.items === "array" ? "[][]" : "[]";
    return [{ path, key }, ...rowsOf(key.members, `${path}${brackets}.`)];
  });
}

function typeWords(key: KeyDescription): string {
  if (key.choices.length > 0) return key.choices.map((choice) => `\`"${choice}"\``).join(", ");
  switch (key.kind) {
    case "array":
      return key.items === "array" ? "list of lists" : key.items === "any" ? "list" : `list of ${key.items}s`;
    case "object":
      return key.items === "string" ? "object of strings" : "object";
    default:
      return key.kind;
  }
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
