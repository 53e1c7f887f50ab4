import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Address } from "../ip/address.ts";
import { address, boolU8, type Codec, cstring, i32, mac, raw, u8, u16, u16be, u32, u32be, u64 } from "./codec.ts";
import { Path } from "./path.ts";

const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

const numbers: readonly (readonly [name: string, codec: Codec<number>, value: number, hex: string])[] = [
  ["u8", u8, 0xfe, "fe"],
  ["u16", u16, 0x1234, "3412"],
  ["u16be", u16be, 0x1234, "1234"],
  ["u32", u32, 0xfedcba98, "98badcfe"],
  ["u32be", u32be, 0xfedcba98, "fedcba98"],
  ["i32", i32, -2, "feffffff"],
  ["u64", u64, 0x1a0b0c0d0e0f10, "100f0e0d0c0b1a00"],
];

for (const [name, codec, value, text] of numbers) {
  test(`${name} writes ${value} as ${text}, and reads it`, () => {
    expect(hex(codec.encode(value))).toBe(text);
    expect(codec.decode(bytes(text), Path.root("x"))).toBe(value);
    expect(codec.decode(bytes(`${text}ffff`), Path.root("x"))).toBe(value);
  });

  test(`${name} refuses to read past the end`, () => {
    const count = text.length / 2;
    const cut = bytes(text).subarray(0, count - 1);
    expect(() => codec.decode(cut, Path.root("link/mtu"))).toThrow(
      `link/mtu: need ${count} byte${count === 1 ? "" : "s"}, have ${count - 1}`,
    );
  });

  test(`${name} reads inside a larger buffer`, () => {
    expect(codec.decode(bytes(`ff${text}`).subarray(1), Path.root("x"))).toBe(value);
  });
}

test("a truth value is one byte, and any but zero is true", () => {
  expect([hex(boolU8.encode(true)), hex(boolU8.encode(false))]).toEqual(["01", "00"]);
  expect([boolU8.decode(bytes("02"), Path.root("x")), boolU8.decode(bytes("00"), Path.root("x"))]).toEqual([
    true,
    false,
  ]);
  expect(() => boolU8.decode(bytes(""), Path.root("x"))).toThrow("x: need 1 byte, have 0");
});

test("text ends with NUL, and reading stops there", () => {
  expect(hex(cstring.encode("ab"))).toBe("616200");
  expect(cstring.decode(bytes("6162006364"), Path.root("x"))).toBe("ab");
  expect(cstring.decode(bytes("6162"), Path.root("x"))).toBe("ab");
  expect(cstring.decode(bytes(""), Path.root("x"))).toBe("");
});

test("any text without NUL comes back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      fc.pre(!text.includes("\0"));
      expect(cstring.decode(cstring.encode(text), Path.root("x"))).toBe(text);
    }),
  );
});

test("raw bytes are copied when read", () => {
  const buffer = bytes("0102");
  const read = raw.decode(buffer, Path.root("x"));
  buffer.fill(0);
  expect(hex(read)).toBe("0102");
});

test("an address is told by its length", () => {
  expect(address.decode(bytes("0a010203"), Path.root("x")).toString()).toBe("10.1.2.3");
  expect(hex(address.encode(new Address(bytes("0a010203"))))).toBe("0a010203");
  expect(() => address.decode(bytes("0a0102"), Path.root("route/gateway"))).toThrow(
    "route/gateway: an address has 4 or 16 bytes, have 3",
  );
});

test("a hardware address is text, and other text is refused", () => {
  expect(hex(mac.encode("02:00:5E:10:00:01"))).toBe("02005e100001");
  expect(mac.decode(bytes("02005e100001"), Path.root("x"))).toBe("02:00:5e:10:00:01");
  expect(() => mac.encode("eth0")).toThrow('"eth0" is not a hardware address');
});
