import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatMac, parseMac } from "./mac.ts";

for (const [text, canonical] of [
  ["02:00:5E:10:00:01", "02:00:5e:10:00:01"],
  ["02-00-5e-10-00-01", "02:00:5e:10:00:01"],
  ["0200.5e10.0001", "02:00:5e:10:00:01"],
  ["02:00:5e:10:00:00:00:01", "02:00:5e:10:00:00:00:01"],
] as const) {
  test(`"${text}" is ${canonical}`, () => {
    expect(formatMac(parseMac(text) ?? new Uint8Array(0))).toBe(canonical);
  });
}

for (const text of [
  "",
  "02:00:5e:10:00",
  "02:00:5e:10:00:1",
  "02:00:5e:10:00:0g",
  "02:00-5e:10:00:01",
  "02005e100001",
  "02:00:5e:10:00:01:",
  "0200.5e10",
]) {
  test(`"${text}" is no hardware address`, () => {
    expect(parseMac(text)).toBeUndefined();
  });
}

test("a hardware address's text leads back to it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(6, 8, 20).chain((n) => fc.uint8Array({ minLength: n, maxLength: n })),
      (bytes) => {
        expect(parseMac(formatMac(bytes))).toEqual(bytes);
      },
    ),
  );
});
