/**
 * The end of a process before its time: a signal, or its own deadline. Calls that wait then return EINTR, and the
 * work stops at a step where everything done so far can still be taken back. Used by cmd/cni, which arms it, and by
 * whatever waits.
 */
import { alarm, armSignals, clockMs, signalReceived } from "#system";
import { SIGALRM, SIGINT } from "./headers/signal.ts";

/** For taking back what was done, once the time is up. */
const UNDO_MS = 10_000;

class Deadline {
  /** By clockMs. */
  atMs: number = Number.POSITIVE_INFINITY;
  /** Whether the end has been told once: what runs now takes back. */
  told = false;
}
const deadline = new Deadline();

/** The process was told to end, or its time is up. */
export class Interrupted extends Error {
  /** "SIGTERM", "SIGINT" or "the deadline has passed". */
  readonly reason: string;

  constructor(operation: string, reason: string) {
    super(`${operation}: stopped: ${reason}`);
    this.name = "Interrupted";
    this.reason = reason;
  }
}

/** From now on SIGTERM, SIGINT and the deadline stop the work at its next step instead of killing the process. */
export function armTermination(timeoutMs: number): void {
  deadline.atMs = clockMs() + timeoutMs;
  deadline.told = false;
  armSignals();
  alarm(timeoutMs);
}

/** Milliseconds until the deadline, never below zero; infinite when there is none. */
export function remainingMs(): number {
  return Math.max(0, deadline.atMs - clockMs());
}

/**
 * Stops the work if the process was told to end; to be called after every step and every EINTR. The first time grants
 * some seconds more, in which it does not throw again, so that undo steps run; a second signal changes nothing.
 * @throws Interrupted naming the operation
 */
export function throwIfTerminated(operation: string): void {
  const late = remainingMs() === 0;
  if (deadline.told) {
    if (late) throw new Interrupted(operation, "the time for taking back is up as well");
    return;
  }
  const signal = signalReceived();
  if (signal === 0 && !late) return;
  deadline.told = true;
  deadline.atMs = clockMs() + UNDO_MS;
  alarm(UNDO_MS); // and each second after: what waits is woken to find its time up
  throw new Interrupted(operation, reason(signal));
}

function reason(signal: number): string {
  if (signal === 0 || signal === SIGALRM) return "the deadline has passed";
  return signal === SIGINT ? "SIGINT" : "SIGTERM";
}
