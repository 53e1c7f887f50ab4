import { expect, test } from "vitest";
import {
  compareVersions,
  findVersion,
  newestVersion,
  oldestVersion,
  renderVersions,
  specVersions,
  versionsSince,
} from "./versions.ts";

test("the table has every version of the specification, oldest first", () => {
  const names = specVersions.map((version) => version.name);
  expect(names).toEqual(["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
  expect(names.toSorted(compareVersions)).toEqual(names);
  expect([names.at(0), names.at(-1)]).toEqual([oldestVersion, newestVersion]);
});

test.each([
  ["0.1.0", "020", false, false],
  ["0.2.0", "020", false, false],
  ["0.3.0", "040", false, false],
  ["0.3.1", "040", false, false],
  ["0.4.0", "040", true, false],
  ["1.0.0", "100", true, false],
  ["1.1.0", "100", true, true],
])("%s has shape %s, CHECK %s, GC and STATUS %s", (name, shape, check, gcAndStatus) => {
  expect(findVersion(name)).toEqual({ name, shape, check, gcAndStatus });
});

test("no version at all means 0.1.0", () => {
  expect(findVersion("")?.name).toBe("0.1.0");
});

test.each(["1.0", "1", "9.9.9", "1.1.0 ", "v1.0.0", "0.3"])(
  "%j is found by nobody: names are compared exactly",
  (name) => {
    expect(findVersion(name)).toBeUndefined();
  },
);

test.each([
  ["0.3.1", "0.3.0", 1],
  ["0.4.0", "0.3.1", 1],
  ["1.0.0", "0.4.0", 1],
  ["1.1.0", "1.0.0", 1],
  ["0.10.0", "0.9.0", 1],
  ["1", "1.0.0", 0],
  ["1.1", "1.1.0", 0],
  ["", "0.1.0", 0],
  ["0.0.9", "0.1.0", -1],
])("%j compared with %j is %i", (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
  expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
});

test.each([
  ["1.0.0.0", 'invalid version "1.0.0.0": too many parts'],
  ["x.0.0", 'failed to convert major version part "x": it is not a number'],
  ["1.x.0", 'failed to convert minor version part "x": it is not a number'],
  ["1.0.", 'failed to convert micro version part "": it is not a number'],
  ["1.0.0-rc1", 'failed to convert micro version part "0-rc1": it is not a number'],
])("%j cannot be compared", (name, message) => {
  expect(() => compareVersions(name, "1.0.0")).toThrow(message);
});

test("versionsSince() leaves out what is older", () => {
  expect(versionsSince("0.1.0")).toHaveLength(7);
  expect(versionsSince("0.4.0")).toEqual(["0.4.0", "1.0.0", "1.1.0"]);
});

test("the answer to VERSION is one line with its newline", () => {
  expect(renderVersions("1.0.0", "1.1.0")).toBe('{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}\n');
});
