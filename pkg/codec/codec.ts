/** Codecs: a value and its bytes. Decoding untrusted bytes throws DecodeError, never reads past the end. Pure. */
import { Address } from "../ip/address.ts";
import { formatMac, parseMac } from "../ip/mac.ts";
import type { Path } from "./path.ts";
import { viewOf } from "./view.ts";

/** Bytes that do not hold what they should; `path` names the field as `link/linkinfo/data/vlanFiltering`. */
export class DecodeError extends Error {
  readonly path: string;
  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.name = "DecodeError";
    this.path = path;
  }
}

/** How one type of value is laid out in bytes. `path` is what errors call the field. */
export interface Codec<T> {
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array, path: Path) => T;
}

/** A reader over `bytes` of which at least `count` are there. */
function atLeast(bytes: Uint8Array, count: number, path: Path): DataView {
  if (bytes.length < count) {
    throw new DecodeError(path.toString(), `need ${count} byte${count === 1 ? "" : "s"}, have ${bytes.length}`);
  }
  return viewOf(bytes);
}

function fixed(count: number, write: (view: DataView) => void): Uint8Array {
  const out = new Uint8Array(count);
  write(new DataView(out.buffer));
  return out;
}

export const u8: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(1, (view) => view.setUint8(0, value)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 1, path).getUint8(0),
};
/** Host order. */
export const u16: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(2, (view) => view.setUint16(0, value, true)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 2, path).getUint16(0, true),
};
/** Host order. */
export const u32: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(4, (view) => view.setUint32(0, value, true)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 4, path).getUint32(0, true),
};
/** Host order, signed. */
export const i32: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(4, (view) => view.setInt32(0, value, true)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 4, path).getInt32(0, true),
};
/** Host order; up to 2⁵³, beyond which numbers are rounded. */
export const u64: Codec<number> = {
  encode: (value: number): Uint8Array =>
    fixed(8, (view) => {
      view.setUint32(0, value % 0x100000000, true);
      view.setUint32(4, Math.floor(value / 0x100000000), true);
    }),
  decode: (bytes: Uint8Array, path: Path): number => {
    const view = atLeast(bytes, 8, path);
    return view.getUint32(4, true) * 0x100000000 + view.getUint32(0, true);
  },
};
/** Network order. */
export const u16be: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(2, (view) => view.setUint16(0, value, false)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 2, path).getUint16(0, false),
};
/** Network order. */
export const u32be: Codec<number> = {
  encode: (value: number): Uint8Array => fixed(4, (view) => view.setUint32(0, value, false)),
  decode: (bytes: Uint8Array, path: Path): number => atLeast(bytes, 4, path).getUint32(0, false),
};
/** One byte, zero or one. */
export const boolU8: Codec<boolean> = {
  encode: (value: boolean): Uint8Array => fixed(1, (view) => view.setUint8(0, value ? 1 : 0)),
  decode: (bytes: Uint8Array, path: Path): boolean => atLeast(bytes, 1, path).getUint8(0) !== 0,
};
/** UTF-8 with a terminating NUL; decoding stops at the first NUL. */
export const cstring: Codec<string> = {
  encode: (value: string): Uint8Array => {
    const text = new TextEncoder().encode(value);
    const out = new Uint8Array(text.length + 1);
    out.set(text);
    return out;
  },
  decode: (bytes: Uint8Array, _path: Path): string => {
    let end = 0;
    for (const byte of bytes) {
      if (byte === 0) break;
      end += 1;
    }
    return new TextDecoder().decode(bytes.subarray(0, end));
  },
};
/** Bytes as they are; decoding copies. */
export const raw: Codec<Uint8Array> = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Uint8Array, _path: Path): Uint8Array => bytes.slice(),
};
/** An IP address of either family, by its length. */
export const address: Codec<Address> = {
  encode: (value: Address): Uint8Array => value.bytes,
  decode: (bytes: Uint8Array, path: Path): Address => {
    if (bytes.length !== 4 && bytes.length !== 16) {
      throw new DecodeError(path.toString(), `an address has 4 or 16 bytes, have ${bytes.length}`);
    }
    return new Address(bytes.slice());
  },
};
/** A hardware address as text (`02:42:…`). Encoding text that is not one throws. */
export const mac: Codec<string> = {
  encode: (value: string): Uint8Array => {
    const bytes = parseMac(value);
    if (bytes === undefined) throw new DecodeError("mac", `"${value}" is not a hardware address`);
    return bytes;
  },
  decode: (bytes: Uint8Array, _path: Path): string => formatMac(bytes),
};
