import { expect, test } from "vitest";
import { sameSysctlValue, shownSysctlValue } from "./sysctl-value.ts";

test.each([
  ["4096 131072 6000000", "4096\t131072\t6000000"],
  ["500", "500\n"],
  ["0x1f4", "500"],
  ["0764", "500"],
  ["-0x1", "-1"],
  ["cubic", " cubic"],
  ["", ""],
])("%j and %j are the same", (one, other) => {
  expect(sameSysctlValue(one, other)).toBe(true);
});

test.each([
  ["500", "501"],
  ["4096 131072", "4096 131072 6000000"],
  ["cubic", "reno"],
  ["10", "010"],
  ["", "0"],
])("%j and %j are not", (one, other) => {
  expect(sameSysctlValue(one, other)).toBe(false);
});

test("a value is shown on one line", () => {
  expect(shownSysctlValue("1\t2\n3\n")).toBe("1 2 3");
});
