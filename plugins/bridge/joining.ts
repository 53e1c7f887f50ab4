/**
 * Many ADDs at once on one bridge. One that fails takes back the bridge, the gateway or the address that it made, unless others
 * use it by then; but the kernel cannot look and remove in one step. So those who join share a lock, and whoever takes back has
 * it alone. Nobody waits long for it: without it the race is there again, and no harm is done but to that one ADD.
 */
import { NamespaceLock } from "../../pkg/netns/namespace-lock.ts";

/** Removing a link takes some 20 ms, joining a bridge 2. */
const LONGEST_WAIT_MS = 2000;

/** Runs what looks for the bridge and its gateway and then becomes a port of it: neither goes in between. */
export function whileJoining<T>(join: () => T): T {
  const lock = NamespaceLock.acquire("shared", LONGEST_WAIT_MS);
  try {
    return join();
  } finally {
    if (lock !== undefined) lock.release();
  }
}

/** Runs what looks whether anybody uses a thing and then removes it. Not at all while others keep joining: they use it. */
export function whileNobodyJoins(takeBack: () => void): void {
  const lock = NamespaceLock.acquire("exclusive", LONGEST_WAIT_MS);
  if (lock === undefined) return;
  try {
    takeBack();
  } finally {
    lock.release();
  }
}
