import { describe, expect, test } from "vitest";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { Teardown } from "./undo.ts";

/** A step that fails so. */
function failing(code: number, message: string): () => void {
  return (): void => {
    throw new CniError(code, message, "look there");
  };
}

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

  test("says nothing where nothing failed", () => {
    const teardown = new Teardown();
    teardown.attempt("one", () => {});
    expect(() => teardown.finish("Cannot remove it")).not.toThrow();
  });
});
