/**
 * `npm run test:kernels [-- SUITE…]`: all case files of test/vm with the native plugins, the life-cycle matrix and the property test of
 * vrf, under the kernels of Debian's releases, each in a virtual machine of its own: 5.10 (bullseye), 6.1 (bookworm), 6.12 (trixie) and
 * the newest (sid) unless suites are named. As root it installs what it needs, saying so. A kernel that cannot be had is skipped with
 * the reason.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Boot, bootCommand, boots } from "../test/vm/case-files.ts";
import { prepareKernel, vmrun } from "./kernels.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** FERRULE_DIST is for testing a release as it was packed. */
const plugins = join(process.env["FERRULE_DIST"] ?? join(root, "dist"), "native/bin");
/** Tells a machine that hangs, not a slow one. */
const LIMIT_SECONDS = 3600;

function say(line: string): void {
  console.log(`test:kernels: ${line}`);
}

/** Boots the kernel, runs the case files of one boot, prints their lines and counts them. */
function runBoot(suite: string, boot: Boot): { passed: number; failed: number } {
  const [file = "", ...argv] = bootCommand(suite, LIMIT_SECONDS, boot, plugins);
  const { status, stdout, stderr } = spawnSync(file, argv, { encoding: "utf8" });
  const lines = stdout.split("\n").filter((line) => line !== "");
  for (const line of lines) console.log(`  ${line}`);
  const passed = lines.filter((line) => line.startsWith("ok - ")).length;
  const failed = lines.filter((line) => line.startsWith("not ok - ")).length;
  if (status === 0 && passed + failed === boot.cases.length) return { passed, failed };
  say(`the machine ended with status ${status} after ${passed + failed} of ${boot.cases.length} cases:\n${stderr}`);
  return { passed, failed: failed + 1 };
}

/**
 * Runs the tests whose programs run in a machine with that kernel (`describeInMachine`), the life-cycle matrix with all versions of the
 * specification on the one that `npm test` uses.
 */
function runMatrix(suite: string): { passed: number; failed: number } {
  const scope = suite === "bookworm" ? "all" : "sample";
  const { stdout } = spawnSync("npm", ["test", "--silent", "--", "matrix-kernel", "vrf/property"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
    env: { ...process.env, FERRULE_KERNEL: suite, FERRULE_KERNEL_MATRIX: scope },
  });
  console.log(stdout);
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout);
  if (counts === null) return { passed: 0, failed: 1 };
  return { passed: Number(counts[1]), failed: Number(counts[2]) };
}

if (!existsSync(join(plugins, "bridge"))) {
  const { status } = spawnSync("npm", ["run", "--silent", "build:native"], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
const given = process.argv.slice(2);
const suites = given.length > 0 ? given : ["bullseye", "bookworm", "trixie", "sid"];
let passed = 0;
let failed = 0;
const skipped: string[] = [];
for (const suite of suites) {
  const reason = prepareKernel(suite, say);
  if (reason !== "") {
    skipped.push(`${suite}: ${reason}`);
    continue;
  }
  const release = spawnSync(vmrun, ["-p", "-k", suite], { encoding: "utf8" }).stdout.split(" ")[0] ?? "";
  say(`Linux ${release} (${suite})`);
  for (const boot of boots("thorough")) {
    const outcome = runBoot(suite, boot);
    passed += outcome.passed;
    failed += outcome.failed;
  }
  const matrix = runMatrix(suite);
  passed += matrix.passed;
  failed += matrix.failed;
}
for (const line of skipped) say(`skipped ${line}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
