import { expect, test } from "vitest";
import { toHex } from "./hex.ts";
import { Writer } from "./writer.ts";

test("fields follow each other in the orders asked for", () => {
  const out = new Writer()
    .u8(1)
    .u16(0x0203)
    .u32(0x04050607)
    .u16be(0x0809)
    .u32be(0x0a0b0c0d)
    .bytes(new Uint8Array([14]));
  expect(toHex(out.done())).toBe("010302070605040809" + "0a0b0c0d0e");
  expect(out.length).toBe(14);
});

test("align() adds zeros up to the border, and none on it", () => {
  expect(toHex(new Writer().u8(1).align(4).align(4).done())).toBe("01000000");
  expect(new Writer().align(4).length).toBe(0);
});

test("what is written before can be replaced", () => {
  const out = new Writer().u32(0).u16(0).u8(7);
  out.setU32(0, 0xfffffffe);
  out.setU16(4, 0x0102);
  expect(toHex(out.done())).toBe("feffffff020107");
});

test("the buffer grows without losing anything", () => {
  const out = new Writer();
  for (let i = 0; i < 1000; i++) out.u32(i);
  out.bytes(new Uint8Array(5000).fill(9)).u8(1);
  const written = Buffer.from(out.done());
  expect(written.length).toBe(9001);
  for (let i = 0; i < 1000; i++) expect(written.readUInt32LE(i * 4)).toBe(i);
  expect(written.subarray(4000, 9000).every((byte) => byte === 9)).toBe(true);
});

test("toHex() writes two lower-case digits a byte", () => {
  expect(toHex(Uint8Array.from({ length: 256 }, (_, i) => i))).toBe(
    Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)).toString("hex"),
  );
});
