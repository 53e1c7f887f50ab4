/** An exclusive lock on a file, shared with every program that uses flock(2) on it. */
import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { errno, flock } from "#system";
import { KernelError } from "./errno.ts";
import { Interrupted, throwIfTerminated } from "./termination.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const EINTR = 4;
const EAGAIN = 11;

/** Held until `release`, or until the process ends. */
export class FileLock {
  private readonly descriptor: number;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * Waits for the lock on `path`, which is made (mode 0750) when missing.
   * @throws Interrupted naming the holder when the process is told to end meanwhile; file errors of open
   */
  static acquire(path: string, operation: string): FileLock {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o750);
    try {
      wait(descriptor, path, operation);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new FileLock(descriptor);
  }

  release(): void {
    closeSync(this.descriptor);
  }
}

function wait(descriptor: number, path: string, operation: string): void {
  if (flock(descriptor, LOCK_EX | LOCK_NB) === 0) return;
  if (errno() !== EAGAIN) throw new KernelError(operation, errno());
  while (flock(descriptor, LOCK_EX) < 0) {
    const failure = errno();
    if (failure !== EINTR) throw new KernelError(operation, failure);
    try {
      throwIfTerminated(operation);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      throw new Interrupted(operation, `the lock ${path} is held by ${holder(path)}`);
    }
  }
}

/** Who holds it, from /proc/locks (proc_locks(5)): `1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF`. */
function holder(path: string): string {
  try {
    const inode = `:${statSync(path).ino.toString()}`;
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const words = line.split(/\s+/);
      if (words.includes("->") || !words.includes("FLOCK")) continue;
      if (words.some((word) => word.endsWith(inode))) return `process ${words[4] ?? "unknown"}`;
    }
  } catch (_) {
    // Naming the holder is a courtesy; not being able to is no failure of its own.
  }
  return "another process";
}
