/**
 * A lock among the processes of one network namespace: flock(2) on the namespace itself, which leaves no file and ends with its
 * holder. Every process there may take it, so nobody should wait for it without a bound. Source: flock(2), network_namespaces(7).
 */
import { closeSync, openSync } from "node:fs";
import { clockMs, errno, flock, poll } from "#system";
import { KernelError } from "../linux/errno.ts";
import { EAGAIN, EINTR } from "../linux/headers/errno.ts";
import { LOCK_EX, LOCK_NB, LOCK_SH } from "../linux/headers/file.ts";

const RETRY_MS = 2;

/** Held until `release`, or until the process ends. */
export class NamespaceLock {
  private readonly descriptor: number;
  private released = false;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * The lock of the namespace that the process is in, shared with others who share it or held alone; `undefined` when it was not
   * to be had within `waitMs`. @throws KernelError
   */
  static acquire(kind: "shared" | "exclusive", waitMs: number): NamespaceLock | undefined {
    const descriptor = openSync("/proc/thread-self/ns/net", "r");
    const operation = (kind === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB;
    const untilMs = clockMs() + waitMs;
    while (flock(descriptor, operation) < 0) {
      const failure = errno();
      if (failure === EINTR || (failure === EAGAIN && clockMs() < untilMs)) {
        poll(new Uint8Array(0), RETRY_MS);
        continue;
      }
      closeSync(descriptor);
      if (failure === EAGAIN) return undefined;
      throw new KernelError("lock the network namespace", failure);
    }
    return new NamespaceLock(descriptor);
  }

  /** A second release does nothing: the descriptor's number may belong to another file then. */
  release(): void {
    if (!this.released) closeSync(this.descriptor);
    this.released = true;
  }
}
