import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha512, textDigest } from "./sha512.ts";

test("sha512() agrees with OpenSSL for every length around the block borders", () => {
  for (let length = 0; length < 300; length++) {
    const data = new Uint8Array(length).map((_, i) => (i * 31 + length) & 0xff);
    expect(sha512(data)).toBe(createHash("sha512").update(data).digest("hex"));
  }
});

test("textDigest() has the first digits of the digest of the text's bytes", () => {
  expect(textDigest("Brücke/eth0", 16)).toBe(createHash("sha512").update("Brücke/eth0").digest("hex").slice(0, 16));
});
