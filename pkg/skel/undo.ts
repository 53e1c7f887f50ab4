/** What to take back when ADD fails, and how DEL and GC go on past failures. */
import { messageOf } from "../../spec/errors.ts";
import { throwIfTerminated } from "../linux/termination.ts";

interface Step {
  readonly what: string;
  readonly take: () => void;
}

/** Steps that take back what ADD has done so far; newest first. */
export class Undo {
  private steps: Step[] = [];

  /**
   * Records how to take back a step that has just been done.
   * @throws Interrupted when the process was told to end: with the step recorded, everything can be taken back
   */
  push(what: string, take: () => void): void {
    this.steps.push({ what, take });
    throwIfTerminated(what);
  }

  /** Runs the steps, newest first, and says what could not be taken back. Never throws; a second run does nothing. */
  run(): string[] {
    const failures: string[] = [];
    const steps = this.steps.toReversed();
    this.steps = [];
    for (const step of steps) {
      try {
        step.take();
      } catch (error) {
        failures.push(`${step.what}: ${messageOf(error)}`);
      }
    }
    return failures;
  }
}

/** Removal that tries every step and reports all failures at the end (DEL, GC). */
export class Teardown {
  readonly failures: string[] = [];

  /** Runs one step; a failure is kept, not thrown. */
  attempt(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.failures.push(`${what}: ${messageOf(error)}`);
    }
  }
}
