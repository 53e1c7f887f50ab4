/**
 * One at a time in a container's network: what looks for something free there and then takes it. The lock is on the namespace
 * itself, which is where the reference's sbr takes its own, and leaves no file. Used by sbr and vrf.
 */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { NamespaceLock } from "../netns/namespace-lock.ts";
import type { Undo } from "../skel/undo.ts";

/** Changing routes takes milliseconds; who holds the lock longer is somebody in the container. */
const LONGEST_WAIT_MS = 5000;

/**
 * Runs an ADD alone, and what takes it back, should it throw: the lock is let go of last then.
 * @throws CniError 11 when others do not let go of the lock
 */
export function addAlone<T>(stack: NetworkStack, undo: Undo, action: () => T): T {
  const lock = acquire(stack);
  if (lock === undefined) {
    throw new CniError(
      ErrorCode.TryAgain,
      `the network namespace is locked by somebody else for more than ${LONGEST_WAIT_MS / 1000} s`,
      "lsof and /proc/locks tell which process of the container holds a lock on it",
    );
  }
  undo.push("let go of the network's lock", () => lock.release());
  const value = action();
  lock.release();
  return value;
}

/** Runs a DEL alone, or not alone when a container keeps the lock: it must be possible to get rid of it. */
export function deleteAlone(stack: NetworkStack, action: () => void): void {
  const lock = acquire(stack);
  try {
    action();
  } finally {
    if (lock !== undefined) lock.release();
  }
}

function acquire(stack: NetworkStack): NamespaceLock | undefined {
  const take = (): NamespaceLock | undefined => NamespaceLock.acquire("exclusive", LONGEST_WAIT_MS);
  return stack.namespace === undefined ? take() : stack.namespace.enter(take);
}
