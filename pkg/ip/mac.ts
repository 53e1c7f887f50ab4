/** Hardware (MAC) addresses as bytes. Pure. */

/** What the kernel says of an interface that has none, such as lo. */
export const ZERO_MAC = "00:00:00:00:00:00";

const HEX = "0123456789abcdef";

/** `c2:11:22:33:44:55`: lower case, colons, as the kernel prints it. */
export function formatMac(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (const byte of bytes) parts.push(HEX.charAt(byte >> 4) + HEX.charAt(byte & 15));
  return parts.join(":");
}

/**
 * Reads a MAC of 6, 8 or 20 bytes: pairs joined by `:` or `-`, or Cisco's groups of four joined by `.`.
 * Upper or lower case. `undefined` when it is not one.
 */
export function parseMac(text: string): Uint8Array | undefined {
  const separator = text.includes(":") ? ":" : text.includes("-") ? "-" : ".";
  const digits = separator === "." ? 4 : 2;
  const out: number[] = [];
  for (const group of text.split(separator)) {
    if (group.length !== digits || !/^[0-9a-fA-F]+$/.test(group)) return undefined;
    for (let at = 0; at < digits; at += 2) out.push(parseInt(group.slice(at, at + 2), 16));
  }
  return out.length === 6 || out.length === 8 || out.length === 20 ? new Uint8Array(out) : undefined;
}

/** Whether an address of Ethernet's length can be an interface's own: neither zero nor a group's (IEEE 802: the first byte's lowest bit). */
export function isUnicastMac(mac: string): boolean {
  return mac !== ZERO_MAC && (parseInt(mac.slice(0, 2), 16) & 1) === 0;
}
