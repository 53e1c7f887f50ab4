/** Prefixes, against ip-cidr's arithmetic. */
import * as fc from "fast-check";
import IPCIDR from "ip-cidr";
import { expect, test } from "vitest";
import { Address } from "./address.ts";
import { Prefix } from "./prefix.ts";

function parse(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new Error(`${text} is no prefix`);
  return found;
}

const four = fc
  .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 }))
  .map(([bytes, length]) => new Prefix(new Address(bytes), length));
const six = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 128 }))
  .map(([bytes, length]) => new Prefix(new Address(bytes), length));
const anyPrefix = fc.oneof(four, six);

/** What ip-cidr prints, as we would. */
const canonical = (text: string): string => Address.parse(text)?.toString() ?? text;

test("first and last address are those of ip-cidr", () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      const witness = new IPCIDR(prefix.toString());
      expect(prefix.network.toString()).toBe(canonical(witness.start().toString()));
      expect(prefix.last.toString()).toBe(canonical(witness.end().toString()));
      expect(prefix.masked.toString()).toBe(`${prefix.network.toString()}/${prefix.length}`);
    }),
  );
});

test("what a prefix contains is what ip-cidr says it does", () => {
  fc.assert(
    fc.property(anyPrefix, anyPrefix, fc.integer({ min: 0, max: 8 }), (prefix, other, flip) => {
      // Random addresses are hardly ever near: those at the borders, and one that shares some leading bits.
      const near = new Prefix(prefix.address, Math.max(0, prefix.length - flip)).last;
      for (const address of [
        prefix.network,
        prefix.last,
        prefix.last.next(),
        prefix.network.previous(),
        near,
        other.address,
      ]) {
        const expected = address.family === prefix.family && new IPCIDR(prefix.toString()).contains(address.toString());
        expect(prefix.contains(address), `${prefix.toString()} contains ${address.toString()}`).toBe(expected);
      }
    }),
  );
});

test("prefixes overlap when one contains the other's network, either way round", () => {
  fc.assert(
    fc.property(anyPrefix, anyPrefix, (a, b) => {
      expect(a.overlaps(b)).toBe(b.overlaps(a));
      expect(a.overlaps(a)).toBe(true);
      const wider = new Prefix(a.address, Math.floor(a.length / 2));
      expect(a.overlaps(wider) && wider.overlaps(a)).toBe(true);
    }),
  );
  expect(parse("10.1.0.0/16").overlaps(parse("10.1.2.3/24"))).toBe(true);
  expect(parse("10.1.0.0/16").overlaps(parse("10.2.0.0/16"))).toBe(false);
  expect(parse("0.0.0.0/0").overlaps(parse("::/0"))).toBe(false);
});

test("a mask has as many ones as the prefix is long", () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      let bits = "";
      for (const byte of prefix.mask.bytes) bits += byte.toString(2).padStart(8, "0");
      expect(bits).toBe("1".repeat(prefix.length) + "0".repeat(prefix.address.bits - prefix.length));
    }),
  );
});

test("a prefix's text leads back to it, host bits and all", () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      expect(parse(prefix.toString()).equals(prefix)).toBe(true);
    }),
  );
  expect(parse("10.1.2.3/24").toString()).toBe("10.1.2.3/24");
});

for (const text of [
  "",
  "10.1.2.3",
  "10.1.2.3/",
  "10.1.2.3/33",
  "10.1.2.3/-1",
  "10.1.2.3/2 ",
  "::/129",
  "/24",
  "10.1.2.3/24/1",
  "10.1.2.3/255.255.255.0",
]) {
  test(`"${text}" is no prefix`, () => {
    expect(Prefix.parse(text)).toBeUndefined();
  });
}

test("a host's prefix holds that address alone", () => {
  expect(Prefix.host(parse("10.1.2.3/8").address).toString()).toBe("10.1.2.3/32");
  expect(Prefix.host(parse("fd00::1/8").address).toString()).toBe("fd00::1/128");
});

test("only 0.0.0.0/0 and ::/0 are defaults", () => {
  expect(parse("0.0.0.0/0").isDefault && parse("::/0").isDefault).toBe(true);
  expect(parse("10.0.0.0/0").isDefault).toBe(true);
  expect(parse("0.0.0.0/1").isDefault || parse("::/128").isDefault).toBe(false);
});
