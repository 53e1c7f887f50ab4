/** Debian's kernels for virtual machines: fetched and unpacked, never installed. Used by the tests. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const vmrun: string = join(fileURLToPath(new URL("..", import.meta.url)), "test/vm/vmrun");

/** What vmrun runs, and the Debian packages that have it. */
const tools: readonly (readonly [command: string, packageName: string])[] = [
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["busybox", "busybox-static"],
  ["depmod", "kmod"],
  ["xz", "xz-utils"],
  ["zstd", "zstd"],
];

/** Environment with the directories that only root's PATH has. */
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, DEBIAN_FRONTEND: "noninteractive" };

/**
 * Makes the newest kernel of a Debian suite ready to boot, installing the tools for it when root; what is ready is used again.
 * Why it cannot be had, or nothing.
 */
export function prepareKernel(suite: string, say: (line: string) => void): string {
  if (process.arch !== "x64") return `virtual machines are for x86-64 here, and this is ${process.arch}`;
  const lacking = provideTools(say);
  if (lacking !== "") return lacking;
  say(`preparing the kernel of Debian ${suite} (the first time downloads some 100 MB)`);
  const { status, stderr } = spawnSync(vmrun, ["-p", "-k", suite], { encoding: "utf8", env, timeout: 900_000 });
  if (status === 0) return "";
  return `the kernel of Debian ${suite} cannot be had (${(stderr ?? "").trim().split("\n").at(-1) ?? ""})`;
}

function provideTools(say: (line: string) => void): string {
  const missing = tools.filter(([command]) => !isInstalled(command)).map(([, name]) => name);
  if (missing.length === 0) return "";
  const list = missing.join(" ");
  if (process.getuid?.() !== 0 || !isInstalled("apt-get"))
    return `virtual machines need ${list}, which are not installed`;
  say(`installing ${list} (apt-get install)`);
  const quiet = { stdio: "ignore", env } as const;
  spawnSync("apt-get", ["-q", "update"], quiet);
  const { status } = spawnSync("apt-get", ["-q", "-y", "install", "--no-install-recommends", ...missing], quiet);
  return status === 0 ? "" : `${list} could not be installed`;
}

function isInstalled(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { env }).status === 0;
}
