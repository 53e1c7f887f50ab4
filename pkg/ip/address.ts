/** IP addresses as bytes. Pure: no kernel, no platform. Text forms follow RFC 4291 section 2.2 and RFC 5952. */
import { viewOf } from "../codec/view.ts";

export type Family = 4 | 6;

/** One IPv4 or IPv6 address: its bytes, most significant first (four or sixteen). Immutable. */
export class Address {
  readonly bytes: Uint8Array;

  /** `bytes` is kept, not copied: 4 or 16 of them, network order. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Reads the textual form of one address; `undefined` when it is not one.
   * No prefix, no zone, no leading zeros in IPv4 octets; IPv4-mapped IPv6 stays IPv6.
   */
  static parse(text: string): Address | undefined {
    const bytes = text.includes(":") ? parseSix(text) : parseFour(text);
    return bytes === undefined ? undefined : new Address(bytes);
  }

  get family(): Family {
    return this.bytes.length === 4 ? 4 : 6;
  }

  /** The address's width: 32 or 128. */
  get bits(): number {
    return this.bytes.length * 8;
  }

  /** The following address; the last one wraps round to zero. */
  next(): Address {
    return this.moved(1);
  }

  /** The address before; zero wraps round to the last one. */
  previous(): Address {
    return this.moved(-1);
  }

  private moved(by: number): Address {
    const out = this.bytes.slice();
    const view = viewOf(out);
    let carry = by;
    for (let i = out.length - 1; i >= 0 && carry !== 0; i--) {
      const sum = view.getUint8(i) + carry;
      view.setUint8(i, sum & 0xff);
      carry = sum >> 8;
    }
    return new Address(out);
  }

  /** Below, at or above zero as this address sorts before, with or after `other`; IPv4 sorts before IPv6. */
  compare(other: Address): number {
    if (this.bytes.length !== other.bytes.length) return this.bytes.length - other.bytes.length;
    const mine = viewOf(this.bytes);
    const theirs = viewOf(other.bytes);
    for (let i = 0; i < this.bytes.length; i++) {
      const difference = mine.getUint8(i) - theirs.getUint8(i);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  equals(other: Address): boolean {
    return this.compare(other) === 0;
  }

  /** Whether every bit is zero: 0.0.0.0 or ::. */
  get isUnspecified(): boolean {
    return !startsWithOther(this.bytes, 0);
  }

  /** 127.0.0.0/8 or ::1. */
  get isLoopback(): boolean {
    const view = viewOf(this.bytes);
    if (this.family === 4) return view.getUint8(0) === 127;
    return this.toString() === "::1";
  }

  /** 169.254.0.0/16 or fe80::/10. */
  get isLinkLocal(): boolean {
    const view = viewOf(this.bytes);
    const top = view.getUint16(0, false);
    return this.family === 4 ? top === 0xa9fe : (top & 0xffc0) === 0xfe80;
  }

  /** RFC 5952 text: lower case, the longest run of zero groups as `::`. */
  toString(): string {
    return this.family === 4 ? formatFour(this.bytes) : formatSix(this.bytes);
  }
}

function startsWithOther(bytes: Uint8Array, value: number): boolean {
  for (const byte of bytes) if (byte !== value) return true;
  return false;
}

function parseFour(text: string): Uint8Array | undefined {
  const out = new Uint8Array(4);
  const view = viewOf(out);
  let at = 0;
  for (const part of text.split(".")) {
    if (at === 4 || !/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    view.setUint8(at, Number(part));
    at += 1;
  }
  return at === 4 ? out : undefined;
}

/** The 16-bit groups of one side of `::`; a dotted IPv4 tail counts as two. */
function parseGroups(text: string, mayEndInFour: boolean): number[] | undefined {
  const groups: number[] = [];
  if (text === "") return groups;
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const four = mayEndInFour && i === parts.length - 1 && part.includes(".") ? parseFour(part) : undefined;
    if (four !== undefined) {
      const view = viewOf(four);
      groups.push(view.getUint16(0, false), view.getUint16(2, false));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function parseSix(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const compressed = halves.length === 2;
  const head = parseGroups(halves[0] ?? "", !compressed);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const count = head.length + tail.length;
  if (compressed ? count > 7 : count !== 8) return undefined;
  const out = new Uint8Array(16);
  const view = viewOf(out);
  for (const [i, group] of head.entries()) view.setUint16(i * 2, group, false);
  for (const [i, group] of tail.entries()) view.setUint16(16 - (tail.length - i) * 2, group, false);
  return out;
}

function formatFour(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (const byte of bytes) parts.push(byte.toString());
  return parts.join(".");
}

const HEX = "0123456789abcdef";

function hexGroup(group: number): string {
  let text = "";
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (group >> shift) & 15;
    if (text !== "" || digit !== 0 || shift === 0) text += HEX.charAt(digit);
  }
  return text;
}

function formatSix(bytes: Uint8Array): string {
  const view = viewOf(bytes);
  const texts: string[] = [];
  let runStart = -1;
  let runLength = 0;
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    const group = view.getUint16(i * 2, false);
    texts.push(hexGroup(group));
    if (group !== 0) {
      runLength = 0;
      continue;
    }
    if (runLength === 0) runStart = i;
    runLength += 1;
    if (runLength > bestLength) {
      bestStart = runStart;
      bestLength = runLength;
    }
  }
  // IPv4-mapped addresses keep their dotted tail (RFC 5952 section 5).
  if (bestStart === 0 && bestLength === 5 && view.getUint16(10, false) === 0xffff) {
    return `::ffff:${formatFour(bytes.subarray(12))}`;
  }
  if (bestStart < 0) return texts.join(":");
  return `${texts.slice(0, bestStart).join(":")}::${texts.slice(bestStart + bestLength).join(":")}`;
}
