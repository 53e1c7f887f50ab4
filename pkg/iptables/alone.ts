/** Changes of iptables' rules that several attachments share. Used by the plugins that keep such rules until nobody needs them. */
import { NamespaceLock } from "../netns/namespace-lock.ts";

/** A lock that somebody holds for longer is done without: iptables has one of its own for each change. */
const LONGEST_WAIT_MS = 10_000;

/**
 * One at a time: who reads that nobody else needs a rule must be right until it is gone. The lock is bridge's, too: each change has
 * it for itself, for some ten milliseconds.
 */
export function alone(change: () => void): void {
  const lock = NamespaceLock.acquire("exclusive", LONGEST_WAIT_MS);
  try {
    change();
  } finally {
    lock?.release();
  }
}
