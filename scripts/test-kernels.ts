/**
 * `npm run test:kernels [-- SUITE…]`: all case files of test/vm with the native plugins, rows of the life-cycle matrix and the property
 * test of vrf, under the kernels of Debian's releases, each in virtual machines of its own: 5.10 (bullseye), 6.1 (bookworm), 6.12
 * (trixie) and the newest (sid) unless suites are named. As many kernels at once as there are processors. As root it installs what it
 * needs, saying so. A kernel that cannot be had is skipped with the reason.
 */
import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Boot, bootCommand, boots } from "../test/vm/case-files.ts";
import { prepareKernel, vmrun } from "./kernels.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** FERRULE_DIST is for testing a release as it was packed. */
const plugins = join(process.env["FERRULE_DIST"] ?? join(root, "dist"), "native/bin");
/** Tells a machine that hangs, not a slow one. */
const LIMIT_SECONDS = 3600;
/** The one that `npm test` uses; here most rows run under it. */
const MAIN_SUITE = "bookworm";

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

function sum(all: readonly Counts[]): Counts {
  const total = (count: (each: Counts) => number): number => all.reduce((before, each) => before + count(each), 0);
  return { passed: total((each) => each.passed), failed: total((each) => each.failed) };
}

function say(line: string): void {
  console.log(`test:kernels: ${line}`);
}

/** Runs a program to its end; each line that it prints is printed at once behind the suite's name. */
async function run(
  suite: string,
  [file = "", ...argv]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ status: number | null; lines: readonly string[] }> {
  const child = spawn(file, argv, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const print = (line: string): void => {
    if (line.trim() === "") return;
    lines.push(line);
    console.log(`${suite}: ${line}`);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", print);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, lines };
}

/** Boots the kernel, runs the case files of one boot and counts their cases. */
async function runBoot(suite: string, boot: Boot): Promise<Counts> {
  const { status, lines } = await run(suite, bootCommand(suite, LIMIT_SECONDS, boot, plugins));
  const passed = lines.filter((line) => line.startsWith("ok - ")).length;
  const failed = lines.filter((line) => line.startsWith("not ok - ")).length;
  if (status === 0 && passed + failed === boot.cases.length) return { passed, failed };
  say(`${suite}: the machine ended with status ${status} after ${passed + failed} of ${boot.cases.length} cases`);
  return { passed, failed: failed + 1 };
}

/** Runs the tests whose programs run in a machine with that kernel (`describeInMachine`). */
async function runMatrix(suite: string): Promise<Counts> {
  const isMain = suite === MAIN_SUITE;
  const files = ["matrix-kernel", "vrf/property", ...(isMain ? ["container-links"] : [])];
  const { lines } = await run(suite, ["npm", "test", "--silent", "--", "--no-build", ...files], {
    FERRULE_KERNEL: suite,
    FERRULE_KERNEL_MATRIX: isMain ? "all" : "sample",
  });
  const totals = lines.map((line) => /^(\d+) passed, (\d+) failed$/.exec(line)).filter((match) => match !== null);
  const last = totals.at(-1);
  if (last === undefined) return { passed: 0, failed: 1 };
  return { passed: Number(last[1]), failed: Number(last[2]) };
}

/** All under one kernel. */
async function runKernel(suite: string): Promise<Counts> {
  const release = spawnSync(vmrun, ["-p", "-k", suite], { encoding: "utf8" }).stdout.split(" ")[0] ?? "";
  say(`${suite}: Linux ${release}`);
  const begin = performance.now();
  const counts: Counts[] = [];
  for (const boot of boots("thorough")) counts.push(await runBoot(suite, boot));
  counts.push(await runMatrix(suite));
  const total = sum(counts);
  const minutes = ((performance.now() - begin) / 60_000).toFixed(0);
  say(`${suite}: Linux ${release}: ${total.passed} passed, ${total.failed} failed in ${minutes} minutes`);
  return total;
}

if (process.env["FERRULE_DIST"] === undefined) {
  const { status } = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
// Once, before several `npm test` would do it at a time; each of them says so where it cannot be had.
spawnSync(join(root, "scripts/get-reference"), [join(root, ".cache/reference")], { stdio: "ignore" });
const given = process.argv.slice(2);
// The one that takes longest begins first.
const suites = given.length > 0 ? given : [MAIN_SUITE, "sid", "trixie", "bullseye"];
const skipped: string[] = [];
const waiting: string[] = [];
for (const suite of suites) {
  const reason = prepareKernel(suite, say);
  if (reason === "") waiting.push(suite);
  else skipped.push(`${suite}: ${reason}`);
}
const all: Counts[] = [];
async function work(): Promise<void> {
  for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) all.push(await runKernel(suite));
}
await Promise.all(Array.from({ length: availableParallelism() }, work));
for (const line of skipped) say(`skipped ${line}`);
const { passed, failed } = sum(all);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
