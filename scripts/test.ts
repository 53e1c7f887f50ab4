/**
 * `npm test [-- FILTER…]`: everything the project promises, checked. Installs the tools that are missing, builds what is out of
 * date, fetches the reference suite to compare with, and runs vitest in namespaces of its own, so that the machine's network and
 * files stay as they are and everything is gone when it ends, however it ends.
 *
 *   --no-build          takes dist/ as it is
 *   FERRULE_ENGINES     "native", "bun" or both (the default)
 *   FERRULE_DIST        another directory than dist/, such as an unpacked release
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isInstalled, provideTools, searched } from "./debian-tools.ts";
import { runEnclosed } from "./enclosure.ts";
import { prepareKernel } from "./kernels.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const env = { ...searched, PATH: `${root}/node_modules/.bin:${searched["PATH"] ?? ""}` };
// One file for each run: two may go on at once.
const report = join(root, `.cache/test-results-${process.pid}.json`);

function say(line: string): void {
  console.log(`npm test: ${line}`);
}

function fail(line: string): never {
  console.error(`npm test: ${line}`);
  process.exit(1);
}

/** The build itself knows what is up to date. */
function build(): void {
  const engines = (process.env["FERRULE_ENGINES"] ?? "native,bun").split(",").filter((name) => name !== "reference");
  if (engines.length === 0) return;
  const { status } = spawnSync("npm", ["run", "--silent", "build", "--", ...engines], {
    cwd: root,
    stdio: "inherit",
    env,
  });
  if (status !== 0) fail("the build failed");
}

/** Why the reference suite is not there, or nothing when it is. */
function fetchReference(): string {
  const outcome = spawnSync(join(root, "scripts/get-reference"), [join(root, ".cache/reference")], {
    encoding: "utf8",
  });
  if (outcome.status === 0) return "";
  const words = (outcome.stderr || String(outcome.error ?? "")).trim().split("\n").at(-1) ?? "";
  return `the reference suite cannot be fetched from Debian's archive (${words})`;
}

/** Why the original flannel plugin is not there, or nothing when it is. */
function fetchFlannel(): string {
  const argv = [join(root, ".cache/flannel")];
  const env = { ...process.env, SUITE: "bullseye" };
  const { status, stderr, error } = spawnSync(join(root, "scripts/get-reference"), argv, { encoding: "utf8", env });
  if (status === 0) return "";
  const words = (stderr || String(error ?? "")).trim().split("\n").at(-1) ?? "";
  return `the original flannel plugin cannot be had from Debian's archive (${words})`;
}

/** Why podman and containerd are not there, or nothing when they are. */
function fetchClients(): string {
  const argv = [join(root, ".cache/clients")];
  const { status, stderr, error } = spawnSync(join(root, "scripts/get-clients"), argv, { encoding: "utf8" });
  if (status === 0) return "";
  const words = (stderr || String(error ?? "")).trim().split("\n")[0] ?? "";
  return `podman and containerd cannot be had from Debian's archive (${words})`;
}

/** Why there is no firewalld, or nothing when there is one: it is not installed where an init would start it. */
function provideFirewalld(): string {
  if (existsSync("/run/systemd/system") && !isInstalled("firewall-cmd")) {
    return "firewalld is not installed, and on this machine its package would start it (apt-get install firewalld)";
  }
  try {
    provideTools(["firewall-cmd"], say);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a test file is among those to be run: vitest takes a file whose path has one of the words in it. */
function isChosen(file: string): boolean {
  return filters.length === 0 || filters.some((word) => file.includes(word));
}

interface Assertion {
  readonly fullName: string;
  readonly status: string;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

/** Prints what was skipped and the last line; whether all is well. */
function summarize(): boolean {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  // A file that cannot be loaded has no tests to count: it counts as one that failed.
  const unloadable = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  const skipped = testResults.flatMap((file) =>
    file.assertionResults.filter((each) => /^(skipped|pending|todo)$/.test(each.status)),
  );
  // Under -t vitest counts all other tests as skipped, which says nothing.
  if (skipped.length > 0 && !filters.some((word) => /^(-t|--testNamePattern)/.test(word))) {
    console.log(`\nskipped (${skipped.length}), each with its reason:`);
    const shown = new Set(skipped.map((each) => each.fullName));
    for (const name of [...shown].slice(0, 60)) console.log(`  ${name}`);
    if (shown.size > 60) console.log(`  and ${shown.size - 60} more`);
  }
  const failed = numFailedTests + unloadable;
  console.log(`\n${numPassedTests} passed, ${failed} failed`);
  return failed === 0 && numPassedTests > 0;
}

const given = process.argv.slice(2);
const takeDist = given.includes("--no-build");
const filters = given.filter((word) => word !== "--no-build");

try {
  provideTools(
    ["nft", "iptables", "ip", "ping", "strace", "tcpdump", "socat", "conntrack", "iperf3", "unshare", "musl-gcc"],
    say,
  );
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
if (!takeDist) build();
const reasonMissing = fetchReference();
if (reasonMissing !== "") say(`${reasonMissing}: tests that compare with it are skipped`);
if (isChosen("test/interop/flannel.test.ts")) {
  const reason = fetchFlannel();
  if (reason !== "") {
    say(`${reason}: tests that compare with it are skipped`);
    process.env["FERRULE_FLANNEL_MISSING"] = reason;
  }
}
if (isChosen("test/firewall/firewalld.test.ts")) {
  const reason = provideFirewalld();
  if (reason !== "") {
    say(`${reason}: tests that run it are skipped`);
    process.env["FERRULE_FIREWALLD_MISSING"] = reason;
  }
}
if (["test/clients/podman.test.ts", "test/clients/containerd.test.ts"].some(isChosen)) {
  const reason = fetchClients();
  if (reason !== "") {
    say(`${reason}: tests that run them are skipped`);
    process.env["FERRULE_CLIENTS_MISSING"] = reason;
  }
}
if (["test/vm/kernel.test.ts", "test/lifecycle/matrix-kernel.test.ts"].some(isChosen)) {
  const reason = prepareKernel(process.env["FERRULE_KERNEL"] ?? "bookworm", say);
  if (reason !== "") {
    say(`${reason}: tests that need another kernel are skipped`);
    process.env["FERRULE_KERNEL_MISSING"] = reason;
  }
}
mkdirSync(join(root, ".cache"), { recursive: true });
process.chdir(root);
const status = runEnclosed(
  ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...filters],
  {
    PATH: env.PATH,
    FERRULE_ISOLATED: "1",
    ...(reasonMissing === "" ? {} : { FERRULE_REFERENCE_MISSING: reasonMissing }),
  },
);
if (!existsSync(report)) fail(`vitest ended with ${status} and left no report`);
const good = summarize();
rmSync(report);
process.exitCode = good && status === 0 ? 0 : 1;
