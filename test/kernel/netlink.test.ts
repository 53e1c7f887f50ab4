/**
 * pkg/netlink, pkg/netns and pkg/sysctl against this machine's kernel, in namespaces of their own. Needs root and ip.
 * What this kernel lacks the program skips and says so; it has passed as a whole on Linux 5.10 and 7.2 in virtual machines.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { compile, type Engine, engines } from "../../scripts/compile.ts";

const bun = fileURLToPath(new URL("../../node_modules/.bin/bun", import.meta.url));
const program = fileURLToPath(new URL("netlink.program.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "netlink-"));
const kernelTest = test.runIf(process.getuid?.() === 0);

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function commandOf(engine: Engine): string {
  if (engine === "bun") return `${bun} ${program}`;
  const output = join(directory, "program");
  compile("native", program, output);
  return output;
}

for (const engine of engines) {
  kernelTest(`every claim holds when the program runs on ${engine}`, { timeout: 180_000 }, () => {
    const script = `mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip netns add other && ${commandOf(engine)}`;
    const result = spawnSync("unshare", ["-n", "-m", "sh", "-ec", script], { encoding: "utf8" });
    expect(result.stderr).toBe("");
    const lines = result.stdout.trim().split("\n");
    expect(lines.at(-1)).toBe("done");
    expect(lines.filter((line) => line.startsWith("not ok"))).toEqual([]);
    expect(lines.length).toBeGreaterThan(90);
  });
}
