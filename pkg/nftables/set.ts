/**
 * Sets and maps: declared once, their elements come and go. Keys and map data may be concatenations.
 * Source: linux/netfilter/nf_tables.h; the userdata that tells nft how to print them is nft's own.
 */
import { u32 } from "../codec/codec.ts";
import { Attributes } from "../netlink/attributes.ts";
import { type DataType, padded, verdictType } from "./datum.ts";
import { setAttributes } from "./messages.ts";
import { type Table, tableText } from "./table.ts";
import { SET_COMMENT, Userdata } from "./userdata.ts";

/** A set, or a map when `data` is not empty. */
export interface NftSet {
  readonly name: string;
  readonly key: readonly DataType[];
  readonly data: readonly DataType[];
  readonly comment: string | undefined;
}

/** A set of keys. */
export function setOf(name: string, key: readonly DataType[], comment?: string): NftSet {
  return { name, key, data: [], comment };
}

/** A map from keys to data; `[verdictType]` as data makes it a verdict map. */
export function mapOf(name: string, key: readonly DataType[], data: readonly DataType[], comment?: string): NftSet {
  return { name, key, data, comment };
}

/** How nft declares it: `map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }`. */
export function setText(set: NftSet): string {
  const data = set.data.length === 0 ? "" : ` : ${typesText(set.data)}`;
  return `${set.data.length === 0 ? "set" : "map"} ${set.name} { type ${typesText(set.key)}${data}; }`;
}

function typesText(types: readonly DataType[]): string {
  return types.map((type: DataType): string => type.name).join(" . ");
}

/** Bytes of a value: one type is as long as it is, several are padded to whole registers. */
export function valueLength(types: readonly DataType[]): number {
  const first = types.at(0);
  if (first !== undefined && types.length === 1) return first.length;
  let length = 0;
  for (const type of types) length += padded(type.length);
  return length;
}

/** nft's number of a concatenation: six bits for each type. */
function typeNumber(types: readonly DataType[]): number {
  const first = types.at(0);
  if (first !== undefined && types.length === 1) return first.number;
  let number = 0;
  for (const type of types) number = (number << 6) | type.number;
  return number >>> 0;
}

/** linux/netfilter/nf_tables.h */
export const NFT_SET_MAP = 0x8;

/** NFTNL_UDATA_SET_KEYBYTEORDER and _DATABYTEORDER */
const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;

/** nft's enum byteorder: 0 for concatenations, whose types know theirs, and verdicts, on which nft would abort. */
function byteOrder(types: readonly DataType[]): Uint8Array {
  const order = types.length === 1 ? (types.at(0)?.order ?? "none") : "none";
  switch (order) {
    case "none":
      return u32.encode(0);
    case "host":
      return u32.encode(1);
    case "network":
      return u32.encode(2);
  }
}

/** NFTA_SET_* of a set to make; `id` is unique in its transaction. */
export function encodeSet(table: Table, set: NftSet, id: number): Attributes {
  const isMap = set.data.length > 0;
  const userdata = new Userdata().add(KEY_BYTE_ORDER, byteOrder(set.key));
  if (isMap) userdata.add(DATA_BYTE_ORDER, byteOrder(set.data));
  const out = new Attributes()
    .set(setAttributes.table, table.name)
    .set(setAttributes.name, set.name)
    .set(setAttributes.flags, isMap ? NFT_SET_MAP : 0)
    .set(setAttributes.keyType, typeNumber(set.key))
    .set(setAttributes.keyLength, valueLength(set.key));
  if (isMap) {
    const verdicts = set.data.at(0)?.name === verdictType.name;
    out.set(setAttributes.dataType, typeNumber(set.data));
    out.set(setAttributes.dataLength, verdicts ? 0 : valueLength(set.data));
  }
  return out.set(setAttributes.id, id).set(setAttributes.userdata, userdata.comment(set.comment, SET_COMMENT).done());
}

/** `set inet filter blocked`, for messages. */
export function setPath(table: Table, set: string): string {
  return `set ${tableText(table)} ${set}`;
}
