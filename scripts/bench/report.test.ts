import { expect, test } from "vitest";
import { type MeasuredRow, markdownTable, textTable, verdicts } from "./report.ts";

const few: MeasuredRow = {
  title: "host-local, 10 reservations: ADD",
  unit: "ms",
  budget: { wall: 0.3, cpu: 0.3 },
  suites: { reference: { value: 10, cpu: 8 }, native: { value: 2, cpu: 3.2 }, bun: { value: 20, cpu: 16 } },
};
const many: MeasuredRow = {
  title: "host-local, 1,000 reservations: ADD",
  unit: "ms",
  budget: { flat: { row: few.title, times: 1.2 } },
  suites: { native: { value: 9, cpu: 3.52 } },
};
const size: MeasuredRow = {
  title: "size",
  unit: "kB",
  budget: { atMost: 4000 },
  suites: { reference: { value: 67_000 }, native: { value: 4001 } },
};

test("each part of a budget has its verdict", () => {
  expect(verdicts(few, [few])).toEqual(["wall ≤ 0.3 ×: met", "CPU ≤ 0.3 ×: MISSED"]);
  expect(verdicts(many, [few, many])).toEqual(["flat, 1.10 ≤ 1.2: met"]);
  expect(verdicts(size, [size])).toEqual(["≤ 4,000 kB: MISSED"]);
});

test("what was not measured has no verdict and no number", () => {
  const missing: MeasuredRow = { ...few, suites: { native: { value: 2, cpu: 1 } } };
  expect(verdicts(missing, [missing])).toEqual([]);
  expect(verdicts(many, [many])).toEqual([]);
  expect(markdownTable([missing])).toContain("| – | 2.00 | – | – |");
});

test("a row shows medians, and both ratios to the reference", () => {
  expect(markdownTable([few])).toContain("| 10.0 | 2.00 | 20.0 | 0.20 × | 2.00 × | 0.40 × |");
});

test("the columns of the text table line up", () => {
  const [heading = "", ...lines] = textTable([few, size]).split("\n");
  const column = heading.indexOf("budget");
  for (const line of lines) expect(line.slice(0, column)).toMatch(/ {2}$/);
});
