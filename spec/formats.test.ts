import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressFormat, macFormat, prefixFormat } from "./formats.ts";
import type { Format } from "./keys.ts";

const group = fc.stringMatching(/^[0-9a-fA-F]{1,5}$/);
const four = fc.array(fc.integer({ min: 0, max: 299 }), { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
const six = fc
  .tuple(
    fc.array(fc.oneof({ weight: 9, arbitrary: group }, { weight: 1, arbitrary: four }), { maxLength: 9 }),
    fc.nat(9),
    fc.boolean(),
  )
  .map(([groups, at, compressed]) =>
    compressed ? `${groups.slice(0, at).join(":")}::${groups.slice(at).join(":")}` : groups.join(":"),
  );
const address = fc.oneof(fc.ipV4(), fc.ipV6(), four, six);
const prefix = fc
  .tuple(address, fc.oneof(fc.nat(140).map(String), fc.stringMatching(/^[0-9]{0,4}$/), fc.constant("x")))
  .map((parts) => parts.join("/"));
const mac = fc
  .tuple(fc.constantFrom(2, 4), fc.constantFrom(2, 3, 4, 5, 6, 8, 10, 20), fc.constantFrom(":", "-", "."))
  .chain(([digits, count, separator]) =>
    fc
      .array(fc.stringMatching(new RegExp(`^[0-9a-fA-F]{${digits}}$`)), { minLength: count, maxLength: count })
      .map((groups) => groups.join(separator)),
  );

function agreement<T>(format: Format<T>, texts: fc.Arbitrary<string>): void {
  const pattern = new RegExp(format.pattern(), "u");
  const check = (text: string): void => {
    expect(pattern.test(text)).toBe(format.parse(text) !== undefined);
  };
  fc.assert(fc.property(fc.oneof(texts, fc.string()), check), { numRuns: 1000 });
}

describe("a schema's pattern matches just what the parser accepts", () => {
  test("addresses", () => agreement(addressFormat, address));
  test("prefixes", () => agreement(prefixFormat, prefix));
  test("hardware addresses", () => agreement(macFormat, mac));
});

test.each([
  ["C2-11-22-33-44-55", "c2:11:22:33:44:55"],
  ["c211.2233.4455", "c2:11:22:33:44:55"],
])("the hardware address %s is normalised", (text, normal) => {
  expect(macFormat.parse(text)).toBe(normal);
});

test("prefixes keep their host bits, and addresses are written as RFC 5952 says", () => {
  expect(prefixFormat.parse("10.1.2.3/24")?.toString()).toBe("10.1.2.3/24");
  expect(addressFormat.parse("FD00:0:0::1")?.toString()).toBe("fd00::1");
});
