/** Debian's kernels for virtual machines: fetched and unpacked, never installed. Used by the tests. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { provideTools, searched } from "./debian-tools.ts";

export const vmrun: string = join(fileURLToPath(new URL("..", import.meta.url)), "test/vm/vmrun");

/**
 * Makes the newest kernel of a Debian suite ready to boot, installing the tools for it when root; what is ready is used again.
 * Why it cannot be had, or nothing.
 */
export function prepareKernel(suite: string, say: (line: string) => void): string {
  if (process.arch !== "x64") return `virtual machines are for x86-64 here, and this is ${process.arch}`;
  try {
    provideTools(["qemu-system-x86_64", "busybox", "depmod", "xz", "zstd"], say);
  } catch (error) {
    return `virtual machines cannot be run: ${error instanceof Error ? error.message : String(error)}`;
  }
  say(`preparing the kernel of Debian ${suite} (the first time downloads some 100 MB)`);
  const { status, stderr } = spawnSync(vmrun, ["-p", "-k", suite], {
    encoding: "utf8",
    env: searched,
    timeout: 900_000,
  });
  if (status === 0) return "";
  return `the kernel of Debian ${suite} cannot be had (${(stderr ?? "").trim().split("\n").at(-1) ?? ""})`;
}
