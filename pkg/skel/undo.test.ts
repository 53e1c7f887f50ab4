import { afterEach, describe, expect, test, vi } from "vitest";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { Teardown, Undo } from "./undo.ts";

/** Whether the process was told to end: asked of the system, which is not there without a build. */
const termination = vi.hoisted(() => ({ isTold: false }));
vi.mock(import("../linux/termination.ts"), async (original) => ({
  ...(await original()),
  throwIfTerminated: (operation: string): void => {
    if (termination.isTold) throw new Error(`${operation}: stopped`);
  },
}));
afterEach(() => {
  termination.isTold = false;
});

/** A step that fails so. */
function failing(code: number, message: string): () => void {
  return (): void => {
    throw new CniError(code, message, "look there");
  };
}

describe("Undo", () => {
  test("takes back the newest first, and past failures, which it tells", () => {
    const undo = new Undo();
    const taken: string[] = [];
    undo.push("one", () => taken.push("one"));
    undo.push("two", failing(ErrorCode.Io, "stuck"));
    undo.push("three", () => taken.push("three"));
    undo.push("four", failing(ErrorCode.Taken, "held"));
    expect(undo.run()).toEqual(["four: held (look there)", "two: stuck (look there)"]);
    expect(taken).toEqual(["three", "one"]);
  });

  test("is done once", () => {
    const undo = new Undo();
    const taken: string[] = [];
    undo.push("one", () => taken.push("one"));
    undo.push("two", failing(ErrorCode.Io, "stuck"));
    expect(undo.run()).toHaveLength(1);
    expect(undo.run()).toEqual([]);
    expect(taken).toEqual(["one"]);
  });

  test("a step that waits is taken when everything newer is, whatever becomes of the older", () => {
    const undo = new Undo();
    const taken: string[] = [];
    undo.push("older", failing(ErrorCode.Io, "stuck"));
    undo.pushWaiting("waiting", () => taken.push("waiting"));
    undo.push("newer", () => taken.push("newer"));
    expect(undo.run()).toEqual(["older: stuck (look there)"]);
    expect(taken).toEqual(["newer", "waiting"]);
  });

  test("a step that waits is not taken where anything newer failed; the others are", () => {
    const undo = new Undo();
    const taken: string[] = [];
    undo.pushWaiting("first", () => taken.push("first"));
    undo.push("plain", () => taken.push("plain"));
    undo.pushWaiting("second", () => taken.push("second"));
    undo.push("newer", failing(ErrorCode.Io, "stuck"));
    expect(undo.run()).toEqual([
      "newer: stuck (look there)",
      "second: not done before that",
      "first: not done before that",
    ]);
    expect(taken).toEqual(["plain"]);
  });

  test("has recorded the step at which the process learns that it is to end", () => {
    const undo = new Undo();
    const taken: string[] = [];
    termination.isTold = true;
    expect(() => undo.push("plain", () => taken.push("plain"))).toThrow("ADD: stopped");
    expect(() => undo.pushWaiting("waiting", () => taken.push("waiting"))).toThrow("ADD: stopped");
    expect(undo.run()).toEqual([]);
    expect(taken).toEqual(["waiting", "plain"]);
  });
});

describe("Teardown", () => {
  test("tries every step and reports all failures together, under the first one's code", () => {
    const teardown = new Teardown();
    const done: string[] = [];
    expect(teardown.attempt("one", failing(ErrorCode.Taken, "held"))).toBe(false);
    expect(teardown.attempt("two", () => done.push("two"))).toBe(true);
    teardown.attempt("three", failing(ErrorCode.Io, "stuck"));
    let error: unknown;
    try {
      teardown.finish("Cannot remove it");
    } catch (thrown) {
      error = thrown;
    }
    expect(done).toEqual(["two"]);
    expect(error).toMatchObject({
      code: ErrorCode.Taken,
      message: "Cannot remove it: one: held (look there); three: stuck (look there)",
      details: "whatever does not depend on that is done; the call can be repeated",
    });
  });

  test("has the code of the first failure, whatever comes later, and 999 for what is no error of the system or ours", () => {
    const teardown = new Teardown();
    teardown.attempt("one", () => {
      throw new RangeError("past the end");
    });
    teardown.attempt("two", failing(ErrorCode.Taken, "held"));
    expect(() => teardown.finish("Cannot remove it")).toThrow(
      expect.objectContaining({
        code: ErrorCode.Internal,
        message: expect.stringMatching(/past the end.*; two: held/),
      }),
    );
  });

  test("says nothing where nothing failed", () => {
    const teardown = new Teardown();
    teardown.attempt("one", () => {});
    expect(() => teardown.finish("Cannot remove it")).not.toThrow();
  });
});
