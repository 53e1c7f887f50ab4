/** What to take back when ADD fails, and how DEL and GC go on past failures. */
import { CniError, messageOf } from "../../spec/errors.ts";
import { throwIfTerminated } from "../linux/termination.ts";
import { toCniError } from "./cni-error.ts";

interface Step {
  readonly what: string;
  readonly take: () => void;
  /** Whether it waits for all newer steps: where one of them fails, it is not taken. */
  readonly waits: boolean;
}

/** Steps that take back what ADD has done so far; newest first. */
export class Undo {
  private steps: Step[] = [];

  /**
   * Records how to take back a step that is about to be done, or has just been. `take` runs also when the step failed half way or was
   * never begun: what is not there counts as taken back.
   * @throws Interrupted when the process was told to end: with the step recorded, everything can be taken back
   */
  push(what: string, take: () => void): void {
    this.steps.push({ what, take, waits: false });
    throwIfTerminated("ADD");
  }

  /**
   * The same for what may be taken back only when everything newer is: an address, while an interface may still have it.
   * @throws Interrupted as push
   */
  pushWaiting(what: string, take: () => void): void {
    this.steps.push({ what, take, waits: true });
    throwIfTerminated("ADD");
  }

  /** Runs the steps, newest first, and says what could not be taken back. Never throws; a second run does nothing. */
  run(): string[] {
    const failures: string[] = [];
    const steps = this.steps.toReversed();
    this.steps = [];
    for (const step of steps) {
      if (step.waits && failures.length > 0) {
        failures.push(`${step.what}: not done before that`);
        continue;
      }
      try {
        step.take();
      } catch (error) {
        failures.push(`${step.what}: ${messageOf(error)}`);
      }
    }
    return failures;
  }
}

/** Removal that goes on past failures and reports all failures at the end (DEL, GC). */
export class Teardown {
  private readonly failures: CniError[] = [];

  /** Runs one step; a failure is kept, not thrown. Whether it succeeded, for a step that must not be done without it. */
  attempt(what: string, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      this.failures.push(toCniError(error).during(what));
      return false;
    }
  }

  /**
   * Reports what failed, all of it, at the end.
   * @throws CniError with the code of the first failure, led in by `subject`
   */
  finish(subject: string): void {
    const first = this.failures.at(0);
    if (first === undefined) return;
    const words: string[] = [];
    for (const failure of this.failures) words.push(failure.words);
    throw new CniError(
      first.code,
      `${subject}: ${words.join("; ")}`,
      "whatever does not depend on that is done; the call can be repeated",
    );
  }
}
