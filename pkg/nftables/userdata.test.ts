import { expect, test } from "vitest";
import { toHex } from "../codec/hex.ts";
import { OWN_TYPE, SET_COMMENT, Userdata, userdataComment, userdataEntry } from "./userdata.ts";

test("a comment is laid out as nft lays it out", () => {
  const bytes = new Userdata().comment("iv").done() ?? new Uint8Array(0);
  expect(toHex(bytes)).toBe("0003697600");
  expect(userdataComment(bytes)).toBe("iv");
});

test("the caller's own entry is found behind the comment", () => {
  const bytes =
    new Userdata()
      .comment("iv")
      .add(OWN_TYPE, new Uint8Array([1, 2]))
      .done() ?? new Uint8Array(0);
  expect(toHex(bytes)).toBe("000369760040020102");
  expect(toHex(userdataEntry(bytes, OWN_TYPE) ?? new Uint8Array(0))).toBe("0102");
  expect(userdataComment(bytes, SET_COMMENT)).toBeUndefined();
});

test("nothing added is no userdata", () => {
  expect(new Userdata().comment(undefined).done()).toBeUndefined();
});

test("a comment longer than the kernel keeps is refused", () => {
  expect(new Userdata().comment("x".repeat(253)).done()?.length).toBe(256);
  expect(() => new Userdata().comment("x".repeat(254))).toThrow("comment has 254 bytes, 253 fit");
});

test.each([[""], ["00"], ["0005"], ["000561"], ["ff"]])("foreign userdata %s has no comment", (hex) => {
  const bytes = new Uint8Array(hex.length / 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 1) view.setUint8(at, Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16));
  expect(userdataComment(bytes)).toBeUndefined();
});
