/** Changes that depend on what was read: the kernel refuses them once anybody else has changed the ruleset since. */
import { KernelError } from "../linux/errno.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { generation } from "./ruleset.ts";

/** How often a change is tried that others' changes keep overtaking. */
const TRIES = 100;

/**
 * Runs `change`, which reads the ruleset and commits with the generation it is given, again whenever somebody changed
 * the ruleset in between. @throws KernelError ERESTART when that never ends, and whatever `change` throws
 */
export function whileOvertaken(socket: NetlinkSocket, change: (generation: number) => void): void {
  for (let tries = 1; ; tries++) {
    try {
      change(generation(socket));
      return;
    } catch (error) {
      if (tries === TRIES || !(error instanceof KernelError) || error.errno !== "ERESTART") throw error;
    }
  }
}
