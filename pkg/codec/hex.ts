/** Bytes as lower-case hexadecimal text. Pure. */
import { Writer } from "./writer.ts";

const HEX = "0123456789abcdef";

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15);
  return text;
}

/** `undefined` when the text is anything else. */
export function parseHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined;
  const out = new Writer();
  for (let at = 0; at < text.length; at += 2) out.u8(parseInt(text.slice(at, at + 2), 16));
  return out.done();
}
