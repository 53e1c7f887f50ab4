/**
 * Netlink attributes as data: one row states an attribute's number and codec; encoder, decoder and type follow from it.
 * Source: include/uapi/linux/netlink.h (struct nlattr), Documentation/userspace-api/netlink/intro.rst.
 */
import { type Codec, DecodeError } from "../codec/codec.ts";
import { Label, nameLater, Path } from "../codec/path.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK } from "./headers/netlink.ts";

/** One row of an attribute table. The label is a class, so that the row and its copies share it. */
export interface Attribute<T> {
  readonly id: number;
  readonly codec: Codec<T>;
  readonly nested: boolean;
  readonly label: Label;
}

interface Labelled {
  readonly label: Label;
}

/** A row: the attribute's number in the kernel's header and how its value is laid out. */
export function attribute<T>(id: number, codec: Codec<T>): Attribute<T> {
  return { id, codec, nested: false, label: new Label() };
}

/** A row whose value is attributes; it is sent with NLA_F_NESTED, which strict checking demands. */
export function nested(id: number): Attribute<Attributes> {
  return { id, codec: attributesCodec, nested: true, label: new Label() };
}

/** Names the rows of a table after their keys, for error paths. */
export function attributes<T extends Record<string, Labelled>>(table: T): T {
  nameLater((): void => nameRows(table));
  return table;
}

function nameRows(table: Record<string, Labelled>): void {
  for (const [name, row] of Object.entries(table)) row.label.text = name;
}

class Received {
  readonly id: number;
  readonly bytes: Uint8Array;
  constructor(id: number, bytes: Uint8Array) {
    this.id = id;
    this.bytes = bytes;
  }
}

/** A list of attributes: to be sent (`set`, in order) or received (`get`, decoded when asked for). Unknown ones are kept. */
export class Attributes {
  private readonly path: Path | undefined;
  private readonly rows: Received[] = [];
  /** What `set` has written; received attributes need none. */
  private out: Writer | undefined;

  constructor(path?: Path) {
    this.path = path;
  }

  /** Appends one attribute. A value of `undefined` leaves it out. */
  set<T>(row: Attribute<T>, value: T | undefined): this {
    if (value === undefined) return this;
    return this.put(row.nested ? row.id | NLA_F_NESTED : row.id, row.codec.encode(value));
  }

  /** Appends an attribute given as number and bytes. */
  put(id: number, payload: Uint8Array): this {
    const out = this.out ?? new Writer();
    this.out = out;
    out
      .u16(payload.length + NLA_HDRLEN)
      .u16(id)
      .bytes(payload)
      .align(4);
    this.rows.push(new Received(id & NLA_TYPE_MASK, payload));
    return this;
  }

  /** The attributes as the kernel reads them, padded to 4 bytes. */
  encode(): Uint8Array {
    return this.out?.done() ?? new Uint8Array(0);
  }

  /** Splits bytes into attributes; values are decoded by `get`. `name` begins the path in errors. @throws DecodeError when a length is impossible. */
  static decode(bytes: Uint8Array, name: string): Attributes {
    return Attributes.decodeAt(bytes, Path.root(name));
  }

  /** The same for attributes inside an attribute. */
  static decodeAt(bytes: Uint8Array, path: Path): Attributes {
    const found = new Attributes(path);
    const view = viewOf(bytes);
    let at = 0;
    while (at + NLA_HDRLEN <= bytes.length) {
      const length = view.getUint16(at, true);
      if (length < NLA_HDRLEN || at + length > bytes.length) {
        throw new DecodeError(
          path.toString(),
          `attribute at byte ${at} claims ${length} bytes, ${bytes.length - at} are left`,
        );
      }
      const id = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
      found.rows.push(new Received(id, bytes.subarray(at + NLA_HDRLEN, at + length)));
      at += (length + 3) & ~3;
    }
    return found;
  }

  /** The value of an attribute, or `undefined` when it is absent. The last one wins. @throws DecodeError */
  get<T>(row: Attribute<T>): T | undefined {
    let bytes: Uint8Array | undefined;
    for (const received of this.rows) if (received.id === row.id) bytes = received.bytes;
    return bytes === undefined ? undefined : row.codec.decode(bytes, new Path(this.path, row.label));
  }

  /** Every value of a repeated attribute, in order. @throws DecodeError */
  all<T>(row: Attribute<T>): T[] {
    const values: T[] = [];
    for (const received of this.rows) {
      if (received.id === row.id) values.push(row.codec.decode(received.bytes, new Path(this.path, row.label)));
    }
    return values;
  }

  /** The raw bytes of an attribute by number, for the few that no table describes. */
  raw(id: number): Uint8Array | undefined {
    let bytes: Uint8Array | undefined;
    for (const received of this.rows) if (received.id === id) bytes = received.bytes;
    return bytes;
  }
}

/** Attributes inside an attribute. */
export const attributesCodec: Codec<Attributes> = {
  encode: (value: Attributes): Uint8Array => value.encode(),
  decode: (bytes: Uint8Array, path: Path): Attributes => Attributes.decodeAt(bytes, path),
};
