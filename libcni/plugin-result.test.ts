import { expect, test } from "vitest";
import { convertCached, prettyResult, readPrinted } from "./plugin-result.ts";

const newest = '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/16","gateway":"10.1.0.1"}],"x-vendor":{"b":1,"a":2}}';

test("a result of the configuration's version stays as it was printed, unknown members included", () => {
  expect(JSON.parse(readPrinted(newest, "1.0.0", "it"))).toEqual(JSON.parse(newest));
});

test("a result without a version has the configuration's, and null is an empty one", () => {
  expect(JSON.parse(readPrinted('{"dns":{}}', "0.4.0", "it"))).toEqual({ cniVersion: "0.4.0", dns: {} });
  expect(JSON.parse(readPrinted("null", "0.3.1", "it"))).toEqual({ cniVersion: "0.3.1" });
});

test("a result begins with its version, as the reference prints it", () => {
  expect(readPrinted('{"dns":{},"ips":[]}', "0.4.0", "it")).toBe('{"cniVersion":"0.4.0","dns":{},"ips":[]}');
  expect(readPrinted('{"dns":{},"CNIVersion":"1.0.0"}', "1.0.0", "it")).toBe('{"cniVersion":"1.0.0","dns":{}}');
});

test("a result of another version is converted", () => {
  expect(JSON.parse(readPrinted(newest, "1.1.0", "it"))).toMatchObject({ cniVersion: "1.1.0" });
  const old = JSON.parse(convertCached(newest, "0.4.0"));
  expect(old).toMatchObject({ cniVersion: "0.4.0", ips: [{ version: "4", address: "10.1.0.2/16" }] });
  expect(JSON.parse(convertCached(JSON.stringify(old), "1.0.0")).ips).toEqual(JSON.parse(newest).ips);
});

test.each([
  ["hello", /it is not JSON: "hello"/],
  ["", /it is not JSON/],
  ["[]", /cannot decode it: expected an object/],
  ['{"ips":{}}', /cannot decode it\.ips/],
  ['{"cniVersion":"7.0.0"}', /unsupported CNI result version "7.0.0"/],
])("%j is refused", (printed, message) => {
  expect(() => readPrinted(printed, "1.0.0", "it")).toThrow(message);
});

test("results are printed with four spaces and no newline", () => {
  expect(prettyResult('{"cniVersion":"1.0.0","ips":[]}')).toBe('{\n    "cniVersion": "1.0.0",\n    "ips": []\n}');
});
