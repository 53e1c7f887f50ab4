/**
 * `npm run bench`: what calls cost, native and Bun executables beside the reference suite's, measured in turn in the same run,
 * in namespaces of their own. Prints a table with the budgets and writes bench/results.json.
 *
 *   --rounds N        calls of each kind (30; some expensive rows take fewer)
 *   --quick           8 rounds, without the rows that fill tables first
 *   --only WORDS      the cases whose title has these words
 *   --suites a,b      of reference, native, bun (all)
 *   --markdown        a Markdown table
 *   --no-build        takes dist/ as it is
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Order } from "./bench/order.ts";
import { provideTools } from "./debian-tools.ts";
import { runEnclosed } from "./enclosure.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

function say(line: string): void {
  console.error(`bench: ${line}`);
}

function readOptions(): { readonly order: Order; readonly build: boolean } {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      suites: { type: "string", default: "reference,native,bun" },
      markdown: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? "8" : "30"));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: it is a number from 1 on`);
  const { quick, only, markdown } = values;
  const suites = values.suites.split(",");
  return { order: { rounds, quick, only, suites, markdown }, build: !values["no-build"] };
}

/** The suites that are there, with their directories. */
function provideSuites(names: readonly string[], build: boolean): Record<string, string> {
  const engines = names.filter((name) => name === "native" || name === "bun");
  if (build && engines.length > 0) {
    const argv = ["run", "--silent", "build", "--", ...engines];
    const { status } = spawnSync("npm", argv, { cwd: root, stdio: ["ignore", 2, 2] });
    if (status !== 0) throw new Error("the build failed");
  }
  const directories: Record<string, string> = {};
  for (const engine of engines) directories[engine] = join(root, "dist", engine, "bin");
  if (names.includes("reference")) {
    const cache = join(root, ".cache/reference");
    mkdirSync(cache, { recursive: true });
    const { status, stderr } = spawnSync(join(root, "scripts/get-reference"), [cache], { encoding: "utf8" });
    if (status === 0) directories["reference"] = join(cache, "usr/lib/cni");
    else say(`no reference suite to compare with, it cannot be fetched: ${stderr.trim().split("\n").at(-1) ?? ""}`);
  }
  return directories;
}

function main(): number {
  const { order, build } = readOptions();
  provideTools(["unshare", "ip", "nft", "strace"], say);
  const directories = provideSuites(order.suites, build);
  for (const directory of Object.values(directories)) {
    if (!existsSync(directory)) throw new Error(`${directory} is missing: build it without --no-build`);
  }
  const bun = join(root, "node_modules/.bin/bun");
  return runEnclosed([bun, join(root, "scripts/bench/run.ts"), JSON.stringify(order), JSON.stringify(directories)]);
}

try {
  process.exitCode = main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
