/** The case files of this directory (tools.sh tells what they are), and how many of them share one boot. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const directory = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");

/** Which cases: all, or those that `npm test` has time for. */
export type Scope = "thorough" | "quick";

/** What one machine runs. */
export interface Boot {
  readonly scope: Scope;
  /** More words for the kernel's command line; mostly none. */
  readonly words: string;
  /** How many network cards the machine has. */
  readonly cards: number;
  /** Paths of the case files. */
  readonly files: readonly string[];
  /** The names of all their cases. */
  readonly cases: readonly string[];
}

/** The case files that have cases of this scope, by how their kernel is booted. */
export function boots(scope: Scope): Boot[] {
  const byWords = new Map<string, { cards: number; files: string[]; cases: string[] }>();
  const declared = scope === "quick" ? /^report "([^"]+)"/gm : /^(?:report|thorough) "([^"]+)"/gm;
  for (const name of readdirSync(directory).toSorted()) {
    if (!name.endsWith(".sh") || name === "tools.sh") continue;
    const file = join(directory, name);
    const text = readFileSync(file, "utf8");
    const cases = [...text.matchAll(declared)].map((match) => match[1] ?? "");
    if (cases.length === 0) continue;
    const words = /^# boot: (.+)$/m.exec(text)?.[1] ?? "";
    const boot = byWords.get(words) ?? { cards: 0, files: [], cases: [] };
    boot.cards = Math.max(boot.cards, Number(/^# cards: (\d+)$/m.exec(text)?.[1] ?? 0));
    boot.files.push(file);
    boot.cases.push(...cases);
    byWords.set(words, boot);
  }
  return [...byWords].map(([words, boot]) => ({ scope, words, ...boot }));
}

/** The words that boot a kernel and run the files of one boot with the plugins of a directory. */
export function bootCommand(kernel: string, limitSeconds: number, boot: Boot, plugins: string): string[] {
  const machine = [join(directory, "vmrun"), "-k", kernel, "-t", String(limitSeconds), "-n", String(boot.cards)];
  const words = boot.words === "" ? [] : ["-a", boot.words];
  const each = 'plugins=$1 scope=$2; shift 2; for file in "$@"; do "$file" "$plugins" "$scope"; done';
  return [...machine, ...words, "--", "sh", "-c", each, "cases", plugins, boot.scope, ...boot.files];
}
