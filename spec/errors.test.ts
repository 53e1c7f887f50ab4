import { expect, test } from "vitest";
import { CniError, drift, ErrorCode, invalidConfig, messageOf, renderError } from "./errors.ts";

test("an error prints as an object indented by four spaces, without newline", () => {
  const error = new CniError(ErrorCode.InvalidConfig, "mtu: bad", "use another");
  expect(renderError(error, "1.0.0")).toBe(
    '{\n    "cniVersion": "1.0.0",\n    "code": 7,\n    "msg": "mtu: bad",\n    "details": "use another"\n}',
  );
});

test("empty details are left out", () => {
  expect(JSON.parse(renderError(new CniError(11, "busy"), "1.1.0"))).toEqual({
    cniVersion: "1.1.0",
    code: 11,
    msg: "busy",
  });
});

test("details are added to, and a message is led in", () => {
  const error = invalidConfig("bad").withDetails("first").withDetails("second").during("cannot start");
  expect(error).toMatchObject({ code: 7, message: "cannot start: bad", details: "first; second" });
});

test("an error's words carry its details", () => {
  expect(messageOf(drift("gone", "again"))).toBe("gone (again)");
  expect([drift("gone", "again").words, new CniError(5, "x").words]).toEqual(["gone (again)", "x"]);
  expect([messageOf(new CniError(5, "x")), messageOf(new Error("y")), messageOf(1)]).toEqual([
    "x",
    "y",
    "unknown error",
  ]);
});

test("the codes up to 99 are the specification's, each used once", () => {
  const codes = Object.values(ErrorCode);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.filter((code) => code < 100)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51]);
});
