/** Bytes as Base64 text (RFC 4648 section 4, with padding). Pure. Used by libcni's cache. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text += ALPHABET.charAt((bits >> held) & 63);
    }
  }
  if (held > 0) text += ALPHABET.charAt((bits << (6 - held)) & 63);
  while (text.length % 4 !== 0) text += "=";
  return text;
}

/** The bytes of a text with or without padding, or `undefined` when it is not Base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const digits = text.split("=")[0] ?? "";
  if (digits.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((digits.length * 6) / 8));
  const view = new DataView(bytes.buffer);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    bits = ((bits << 6) | ALPHABET.indexOf(digit)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    view.setUint8(at, (bits >> held) & 255);
    at += 1;
  }
  return bytes;
}
