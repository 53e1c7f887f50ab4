/** What the running kernel can, and another kernel for what it cannot. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { projectRoot } from "./engines.ts";
import { Machine, useMachine } from "./machine.ts";

/** Kinds of links that a kernel may lack, and how one is made where there is a link `parent`. */
const attempts = {
  dummy: "ip link add probe type dummy",
  ipvlan: "ip link add probe link parent type ipvlan",
  vlan: "ip link add probe link parent type vlan id 5",
  vrf: "ip link add probe type vrf table 5",
} as const;
export type KernelAbility = keyof typeof attempts;

const known = new Map<KernelAbility, boolean>();

/** Whether this machine's own kernel can make such links; asked once, in a namespace that is gone at once. */
export function kernelCan(ability: KernelAbility): boolean {
  const before = known.get(ability);
  if (before !== undefined) return before;
  const script = `ip link add parent type veth peer name other && ${attempts[ability]}`;
  const can = spawnSync("unshare", ["--net", "sh", "-c", script]).status === 0;
  known.set(ability, can);
  return can;
}

/** Why something that needs these abilities cannot be tested under this kernel, or nothing. */
export function kernelLacks(needs: KernelAbility | undefined): string {
  return needs === undefined || kernelCan(needs) ? "" : `this machine's kernel has no ${needs} links`;
}

/** The kernel that virtual machines boot; FERRULE_KERNEL names another suite of Debian's. */
export const otherKernel: string = process.env["FERRULE_KERNEL"] ?? "bookworm";

/** These tell what hangs, not what is slow: all versions on all rows take an hour or two. */
const TEST_TIMEOUT_MS = 900_000;
const MACHINE_LIMIT_SECONDS = 4 * 3600;

/**
 * Declares tests whose programs run under another kernel: one machine for all of them, booted before the first. Programs are some
 * thirty times slower there. Skipped with the reason where there is no such kernel.
 */
export function describeInMachine(declare: () => void): void {
  const missing = process.env["FERRULE_KERNEL_MISSING"];
  const reason = missing === undefined ? "" : ` (skipped: ${missing})`;
  describe.skipIf(missing !== undefined)(`under the kernel of Debian ${otherKernel}${reason}`, () => {
    vi.setConfig({ testTimeout: TEST_TIMEOUT_MS, hookTimeout: TEST_TIMEOUT_MS });
    let machine: Machine | undefined;
    beforeAll(async () => {
      machine = await Machine.boot(join(projectRoot, "test/vm/vmrun"), otherKernel, MACHINE_LIMIT_SECONDS);
      useMachine(machine);
    });
    afterAll(async () => {
      useMachine(undefined);
      await machine?.stop();
    });
    declare();
  });
}
