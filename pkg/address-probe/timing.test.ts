import { expect, test } from "vitest";
import { drawn, timingOf } from "./timing.ts";

test("a drawn time lies within its range, both ends included", () => {
  expect(drawn([1000, 2000], 0)).toBe(1000);
  expect(drawn([1000, 2000], 4294967295)).toBe(2000);
  expect(drawn([0, 0], 4294967295)).toBe(0);
});

test("without probing there are no times", () => {
  expect(timingOf("off")).toBeUndefined();
});

test("the RFC's times are RFC 5227's", () => {
  expect(timingOf("rfc5227")).toEqual({ delayMs: [0, 1000], probes: 3, intervalMs: [1000, 2000], answerMs: 2000 });
});
