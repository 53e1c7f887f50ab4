/** Changes that depend on what was read: the kernel refuses them once anybody else has changed the ruleset since. */
import { isKernelError } from "../linux/errno.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { generation } from "./ruleset.ts";

/** How often a change is tried that others' changes keep overtaking. */
export const OVERTAKEN_TRIES = 100;

/** Whether the ruleset (ERESTART), or just what the change is about (ENOENT), is not any more what was read of it. */
export function isOvertaken(error: unknown): boolean {
  return isKernelError(error, "ERESTART") || isKernelError(error, "ENOENT");
}

/**
 * Runs `change`, which reads the ruleset and may commit with the generation it is given, again whenever somebody changed
 * the ruleset in between. @throws KernelError ERESTART or ENOENT when that never ends, and whatever `change` throws
 */
export function whileOvertaken(socket: NetlinkSocket, change: (generation: number) => void): void {
  for (let tries = 1; ; tries++) {
    try {
      change(generation(socket));
      return;
    } catch (error) {
      if (tries === OVERTAKEN_TRIES || !isOvertaken(error)) throw error;
    }
  }
}
