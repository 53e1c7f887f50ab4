/** An exclusive lock on a file, shared with every program that uses flock(2) on it, the reference suite among them. */
import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { clockMs, errno, flock, poll } from "#system";
import { KernelError } from "./errno.ts";
import { EAGAIN, EINTR } from "./headers/errno.ts";
import { LOCK_EX, LOCK_NB } from "./headers/file.ts";
import { Interrupted, throwIfTerminated } from "./termination.ts";

const RETRY_MS = 5;

/** Held until `release`, or until the process ends. */
export class FileLock {
  private readonly descriptor: number;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * Waits for the lock on the file `path`, which is made (with `mode`) when missing; a directory must be there.
   * @throws Interrupted naming the holder when the process is told to end meanwhile; KernelError; file errors of open
   */
  static acquire(path: string, operation: string, mode = 0o600): FileLock {
    const descriptor = open(path, mode);
    try {
      wait(descriptor, path, operation);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new FileLock(descriptor);
  }

  /** Takes the lock as `acquire` does, waiting `waitMs` at most. @throws KernelError EAGAIN naming the holder when the lock is not free by then */
  static acquireWithin(path: string, operation: string, waitMs: number, mode = 0o600): FileLock {
    const descriptor = open(path, mode);
    const untilMs = clockMs() + waitMs;
    while (flock(descriptor, LOCK_EX | LOCK_NB) < 0) {
      const failure = errno();
      if (failure === EINTR || (failure === EAGAIN && clockMs() < untilMs)) {
        poll(new Uint8Array(0), RETRY_MS);
        continue;
      }
      const held = failure === EAGAIN ? `, held by ${holder(path)}` : "";
      closeSync(descriptor);
      throw new KernelError(`${operation}: waiting for the lock ${path}${held}`, failure);
    }
    return new FileLock(descriptor);
  }

  /** Lets the next one in. Once only: the descriptor's number may belong to another file then. */
  release(): void {
    closeSync(this.descriptor);
  }
}

function open(path: string, mode: number): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_CREAT, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
    return openSync(path, "r");
  }
}

function wait(descriptor: number, path: string, operation: string): void {
  while (flock(descriptor, LOCK_EX) < 0) {
    const failure = errno();
    if (failure !== EINTR) throw new KernelError(`${operation}: lock ${path}`, failure);
    try {
      throwIfTerminated(operation);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      throw new Interrupted(`${operation}: waiting for the lock ${path}, held by ${holder(path)}`, error.reason);
    }
  }
}

/** Who holds it, from /proc/locks (proc_locks(5)): `1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF`. */
function holder(path: string): string {
  try {
    const inode = `:${statSync(path).ino}`;
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const words = line.split(/\s+/);
      // A line of one who waits has "->" before FLOCK.
      if (words.at(1) === "FLOCK" && (words.at(5) ?? "").endsWith(inode)) return `process ${words.at(4) ?? ""}`;
    }
  } catch (_) {
    // Naming the holder is a courtesy; not being able to is no failure of its own.
  }
  return "another process";
}
