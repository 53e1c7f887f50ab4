import { expect, test } from "vitest";
import { pluginNames } from "../../cmd/cni/names.ts";
import { pluginCases } from "./plugin-cases.ts";

test("every plugin has a row in the table of the life-cycle tests", () => {
  const covered = new Set(pluginCases.map((row) => row.config.type));
  expect(pluginNames.filter((name) => !covered.has(name))).toEqual([]);
});
