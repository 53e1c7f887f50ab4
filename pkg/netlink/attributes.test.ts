import * as fc from "fast-check";
import { expect, test } from "vitest";
import { boolU8, cstring, raw, u16, u32 } from "../codec/codec.ts";
import { Attributes, attribute, attributes, nested } from "./attributes.ts";

const table = attributes({
  size: attribute(4, u32),
  name: attribute(3, cstring),
  on: attribute(7, boolU8),
  inner: nested(18),
});
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

test("attributes are written in the order they are set, padded to four bytes", () => {
  const list = new Attributes().set(table.name, "ab").set(table.on, true).set(table.size, 5);
  expect(hex(list.encode())).toBe("0700030061620000" + "0500070001000000" + "0800040005000000");
});

test("nested attributes carry the flag that strict kernels ask for", () => {
  const list = new Attributes().set(table.inner, new Attributes().set(table.on, false));
  expect(hex(list.encode())).toBe("0c001280" + "0500070000000000");
});

test("undefined leaves an attribute out", () => {
  expect(new Attributes().set(table.size, undefined).encode()).toEqual(new Uint8Array(0));
});

test("what is set can be asked for before it is sent", () => {
  expect(new Attributes().set(table.size, 5).get(table.size)).toBe(5);
});

test("of an attribute that stands twice the last one counts, and all can be had", () => {
  const list = Attributes.decode(new Attributes().set(table.size, 1).set(table.size, 2).encode(), "list");
  expect(list.get(table.size)).toBe(2);
  expect(list.all(table.size)).toEqual([1, 2]);
});

test("an absent attribute is undefined", () => {
  expect(new Attributes().get(table.size)).toBeUndefined();
  expect(new Attributes().raw(4)).toBeUndefined();
});

test("an error names the path from the outermost attribute", () => {
  const wrong = new Attributes().set(table.inner, new Attributes().put(4, new Uint8Array(2)));
  const list = Attributes.decode(wrong.encode(), "link");
  expect(() => list.get(table.inner)?.get(table.size)).toThrow("link/inner/size: need 4 bytes, have 2");
});

test("flags in an attribute's number are not part of it", () => {
  const list = Attributes.decode(Uint8Array.from([8, 0, 4, 0xc0, 5, 0, 0, 0]), "list");
  expect(list.get(table.size)).toBe(5);
});

test("any list of attributes comes back as it was", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })));
  fc.assert(
    fc.property(rows, (list) => {
      const out = new Attributes();
      for (const [id, value] of list) out.put(id, value);
      const found = Attributes.decode(out.encode(), "list");
      for (const [id] of list) {
        const expected = list.filter((row) => row[0] === id).map((row) => row[1]);
        expect(found.all(attribute(id, raw))).toEqual(expected);
      }
    }),
  );
});

test("any bytes either decode or are refused with a DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
      try {
        const list = Attributes.decode(data, "any");
        list.get(attribute(1, u16));
      } catch (error) {
        expect(error).toMatchObject({ name: "DecodeError" });
      }
    }),
  );
});
