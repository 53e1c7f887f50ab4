/** Changes that depend on what was read: the kernel refuses them once anybody else has changed the ruleset since. */
import { isKernelError } from "../linux/errno.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { generation } from "./ruleset.ts";

/** How often a change is tried that others' changes keep overtaking. */
const TRIES = 100;

/** Whether the ruleset (ERESTART), or just what the change is about (ENOENT), is not any more what was read of it. */
function isOvertaken(error: unknown): boolean {
  return isKernelError(error, "ERESTART") || isKernelError(error, "ENOENT");
}

/**
 * Runs `change`, which reads the ruleset and may commit with the generation that it read first, again whenever somebody changed
 * the ruleset in between. @throws KernelError ERESTART or ENOENT when that never ends, and whatever `change` throws
 */
export function retryOvertaken<T>(change: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return change();
    } catch (error) {
      if (tries === TRIES || !isOvertaken(error)) throw error;
    }
  }
}

/** The same for a change that is given the generation. */
export function whileOvertaken(socket: NetlinkSocket, change: (generation: number) => void): void {
  retryOvertaken((): void => change(generation(socket)));
}

/**
 * Makes a change that is a mere addition as a rule. `add` takes it that everything it needs is there and that nothing is in the way,
 * and reads little; where the kernel refuses that, `rebuild` makes what is missing, and room. They take turns for as long as others
 * overtake them. @throws KernelError ERESTART, ENOENT or EEXIST when that never ends, and whatever else they throw
 */
export function addOrRebuild(add: () => void, rebuild: () => void): void {
  for (let tries = 1; ; tries++) {
    try {
      if (tries % 2 === 1) add();
      else rebuild();
      return;
    } catch (error) {
      if (tries === TRIES || !(isOvertaken(error) || isKernelError(error, "EEXIST"))) throw error;
    }
  }
}
