import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha512 } from "./sha512.ts";

test("sha512() agrees with OpenSSL for every length around the block borders", () => {
  for (let length = 0; length < 300; length++) {
    const data = new Uint8Array(length).map((_, i) => (i * 31 + length) & 0xff);
    expect(sha512(data)).toBe(createHash("sha512").update(data).digest("hex"));
  }
});
