/** Addresses, against ip-cidr's arithmetic and node:net's parser. */
import { isIPv4, isIPv6 } from "node:net";
import * as fc from "fast-check";
import IPCIDR from "ip-cidr";
import { expect, test } from "vitest";
import { Address } from "./address.ts";

function parse(text: string): Address {
  const found = Address.parse(text);
  if (found === undefined) throw new Error(`${text} is no address`);
  return found;
}

const anyAddress = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => new Address(bytes));
/** Runs of zero groups are what IPv6 text is difficult about. */
const sparseSix = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0xab, 0xffff), { minLength: 8, maxLength: 8 })
  .map((groups) => new Address(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))));

for (const [text, canonical] of [
  ["10.1.2.3", "10.1.2.3"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8::0001", "2001:db8::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::ffff:10.1.2.3", "::ffff:10.1.2.3"],
  ["::ffff:0a01:0203", "::ffff:10.1.2.3"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
] as const) {
  test(`"${text}" is the address ${canonical}`, () => {
    expect(parse(text).toString()).toBe(canonical);
  });
}

for (const text of [
  "",
  "10.1.2",
  "10.1.2.3.4",
  "10.1.2.256",
  "10.1.2.03",
  "10.1.2.-3",
  "10.1.2.3 ",
  "0x0a.1.2.3",
  "10.1.2.3/24",
  "1e1.0.0.0",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "::g",
  "fe80::1%eth0",
  "::10.1.2",
  "10.1.2.3::",
  "::10.1.2.3:1",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
]) {
  test(`"${text}" is no address`, () => {
    expect(Address.parse(text)).toBeUndefined();
  });
}

test("the same texts are addresses as for Node", () => {
  const piece = fc.constantFrom("::", ":", ".", "0", "1", "10", "255", "256", "ffff", "00", "a", "1.2.3.4");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const text = pieces.join("");
      const found = Address.parse(text);
      expect(found?.family).toBe(isIPv4(text) ? 4 : isIPv6(text) ? 6 : undefined);
    }),
    { numRuns: 5000 },
  );
});

test("an address's text is that of ip-cidr, and leads back to it", () => {
  fc.assert(
    fc.property(fc.oneof(anyAddress, sparseSix), (address) => {
      const text = address.toString();
      expect(parse(text).equals(address)).toBe(true);
      // ip-cidr writes IPv4-mapped addresses with hexadecimal groups.
      if (!text.startsWith("::ffff:")) expect(IPCIDR.createAddress(text).correctForm()).toBe(text);
    }),
  );
});

test("next() and previous() are one apart, as numbers and in order", () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      const number = (each: Address): bigint => BigInt(`0x${Buffer.from(each.bytes).toString("hex")}`);
      const count = 1n << BigInt(address.bits);
      expect(number(address.next())).toBe((number(address) + 1n) % count);
      expect(number(address.previous())).toBe((number(address) + count - 1n) % count);
      expect(address.next().previous().equals(address)).toBe(true);
    }),
  );
});

test("next() carries over every byte, and leaves the address itself alone", () => {
  const address = parse("10.0.255.255");
  expect(address.next().toString()).toBe("10.1.0.0");
  expect(address.toString()).toBe("10.0.255.255");
  expect(parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").next().toString()).toBe("::");
  expect(parse("0.0.0.0").previous().toString()).toBe("255.255.255.255");
});

test("compare() orders as the numbers do, IPv4 first", () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, (a, b) => {
      const key = (each: Address): string => `${each.family}${Buffer.from(each.bytes).toString("hex")}`;
      const expected = key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
      expect(Math.sign(a.compare(b))).toBe(expected);
      expect(a.equals(b)).toBe(expected === 0);
    }),
  );
});

for (const [text, isLoopback, isLinkLocal, isUnspecified] of [
  ["127.0.0.1", true, false, false],
  ["127.255.0.1", true, false, false],
  ["128.0.0.1", false, false, false],
  ["169.254.3.4", false, true, false],
  ["0.0.0.0", false, false, true],
  ["::", false, false, true],
  ["::1", true, false, false],
  ["fe80::1", false, true, false],
  ["febf::1", false, true, false],
  ["fec0::1", false, false, false],
] as const) {
  test(`${text} is of its kind`, () => {
    expect(parse(text)).toMatchObject({ isLoopback, isLinkLocal, isUnspecified });
  });
}
