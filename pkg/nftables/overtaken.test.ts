import { expect, test } from "vitest";
import { KernelError } from "../linux/errno.ts";
import { addOrRebuild, retryOvertaken } from "./overtaken.ts";

const ENOENT = 2;
const EEXIST = 17;
const EPERM = 1;
const ERESTART = 85;

/** Notes each call, and fails with these errors in turn before it succeeds. */
function failing(calls: string[], name: string, ...errors: number[]): () => void {
  return () => {
    calls.push(name);
    const error = errors.shift();
    if (error !== undefined) throw new KernelError(name, error);
  };
}

test("what was overtaken is done again, and returns what it returns then", () => {
  const calls: string[] = [];
  const change = failing(calls, "change", ERESTART, ENOENT);
  const result = retryOvertaken(() => {
    change();
    return calls.length;
  });
  expect(result).toBe(3);
});

test("another refusal is not", () => {
  const calls: string[] = [];
  expect(() => retryOvertaken(failing(calls, "change", EPERM))).toThrow("EPERM");
  expect(() => retryOvertaken(failing(calls, "change", EEXIST))).toThrow("EEXIST");
  expect(calls).toEqual(["change", "change"]);
});

test("an addition that finds something in its way is followed by rebuilding, turn by turn", () => {
  const calls: string[] = [];
  addOrRebuild(failing(calls, "add", EEXIST, ENOENT), failing(calls, "rebuild", ERESTART, EEXIST));
  expect(calls).toEqual(["add", "rebuild", "add", "rebuild", "add"]);
});

test("an addition that is refused for another reason is not tried again", () => {
  const calls: string[] = [];
  expect(() => addOrRebuild(failing(calls, "add", EPERM), failing(calls, "rebuild"))).toThrow("EPERM");
  expect(calls).toEqual(["add"]);
});

test("it ends when others never let it", () => {
  const calls: string[] = [];
  const never = (): void => {
    calls.push("change");
    throw new KernelError("change", ERESTART);
  };
  expect(() => addOrRebuild(never, never)).toThrow("ERESTART");
  expect(calls.length).toBe(100);
});
