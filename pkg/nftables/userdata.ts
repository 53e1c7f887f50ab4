/**
 * Userdata: bytes the kernel keeps with an object and never reads. nft's layout: a list of (type u8, length u8, value).
 * A comment is a text ending in NUL that nft prints; types nft does not know are skipped by it and are free for the caller.
 */

import { cstring } from "../codec/codec.ts";
import { Path } from "../codec/path.ts";
import { viewOf } from "../codec/view.ts";

/** The comment of a table, chain, rule or element. */
export const COMMENT = 0;
/** The comment of a set, whose lower types tell how to print keys and data. */
export const SET_COMMENT = 7;
/** The first type that nft leaves alone: what a caller stores for itself begins here. */
export const OWN_TYPE = 64;
/** A comment's bytes, so that entry header and NUL still fit. */
const MAX_COMMENT_BYTES = 253;

/** Builds userdata entry by entry. The kernel takes 256 bytes in all (EINVAL beyond). */
export class Userdata {
  private parts: number[] = [];

  /** Appends an entry. @throws RangeError when the value is longer than 255 bytes. */
  add(type: number, value: Uint8Array): this {
    if (value.length > 255) throw new RangeError(`userdata entry ${type} has ${value.length} bytes, 255 fit`);
    this.parts.push(type, value.length);
    for (const byte of value) this.parts.push(byte);
    return this;
  }

  /** Appends a comment, unless there is none. @throws RangeError when it is longer than 253 bytes. */
  comment(text: string | undefined, type: number = COMMENT): this {
    if (text === undefined) return this;
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MAX_COMMENT_BYTES) throw new RangeError(`comment has ${bytes.length} bytes, 253 fit`);
    const terminated = new Uint8Array(bytes.length + 1);
    terminated.set(bytes);
    return this.add(type, terminated);
  }

  /** The bytes for the kernel, or `undefined` when nothing was added: empty userdata is refused. */
  done(): Uint8Array | undefined {
    return this.parts.length === 0 ? undefined : new Uint8Array(this.parts);
  }
}

/** The value of an entry, as a view; `undefined` when there is none or the bytes are no such list (others write freely). */
export function userdataEntry(bytes: Uint8Array, type: number): Uint8Array | undefined {
  const view = viewOf(bytes);
  let at = 0;
  while (at + 2 <= bytes.length) {
    const end = at + 2 + view.getUint8(at + 1);
    if (end > bytes.length) return undefined;
    if (view.getUint8(at) === type) return bytes.subarray(at + 2, end);
    at = end;
  }
  return undefined;
}

/** The comment in userdata, up to its NUL. */
export function userdataComment(bytes: Uint8Array | undefined, type: number = COMMENT): string | undefined {
  const value = bytes === undefined ? undefined : userdataEntry(bytes, type);
  return value === undefined ? undefined : cstring.decode(value, Path.root("comment"));
}
