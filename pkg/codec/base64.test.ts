import { describe, expect, test } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";

/** RFC 4648 section 10, and bytes that need every digit. */
const rows: readonly (readonly [text: string, base64: string])[] = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
  ["Grüße >?~", "R3LDvMOfZSA+P34="],
];

describe("Base64", () => {
  test.each(rows)("%j is %j", (text, base64) => {
    const bytes = new TextEncoder().encode(text);
    expect(toBase64(bytes)).toBe(base64);
    expect(fromBase64(base64)).toEqual(bytes);
  });

  test("every byte survives, at every length", () => {
    for (let length = 0; length < 300; length++) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 255);
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }
  });

  test.each(["Z", "Zg=a", "Zm 9v", "Zm9v====", "Zg-_"])("%j is refused", (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });
});
