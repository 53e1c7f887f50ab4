/**
 * The end of a process before its time: a signal, or its own deadline. Waiting calls then return EINTR, and the work is
 * stopped where everything done so far can still be taken back.
 */
import { alarm, armSignals, clockMs, signalReceived } from "#system";

const SIGALRM = 14;
/** For taking back what was done, once the time is up. */
const UNDO_MS = 10_000;

class Deadline {
  atMs = Number.POSITIVE_INFINITY;
  thrown = false;
}
const deadline = new Deadline();

/** The process was told to end. */
export class Interrupted extends Error {
  constructor(operation: string, reason: string) {
    super(`${operation}: stopped: ${reason}`);
    this.name = "Interrupted";
  }
}

/** From now on SIGTERM, SIGINT and the deadline stop the work at the next step instead of killing the process. */
export function armTermination(milliseconds: number): void {
  deadline.atMs = clockMs() + milliseconds;
  armSignals();
  alarm(milliseconds);
}

/** Milliseconds until the deadline, never below zero; infinite when there is none. */
export function remainingMs(): number {
  return Math.max(0, deadline.atMs - clockMs());
}

/**
 * Stops the work if the process was told to end. Only once: what is then taken back runs to its end, within a bound of its own.
 * @throws Interrupted naming the operation
 */
export function throwIfTerminated(operation: string): void {
  if (deadline.thrown) return;
  const signal = signalReceived();
  const late = remainingMs() === 0;
  if (signal === 0 && !late) return;
  deadline.thrown = true;
  deadline.atMs = clockMs() + UNDO_MS;
  alarm(UNDO_MS);
  throw new Interrupted(operation, late || signal === SIGALRM ? "the time for this call is up" : "the process was told to end");
}
