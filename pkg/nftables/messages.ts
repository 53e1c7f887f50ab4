/**
 * nf_tables messages as data: types and attributes of tables, chains, rules, sets and elements.
 * Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h. Everything numeric is in network order but for data in registers.
 */
import { type Codec, cstring, DecodeError, raw, u32be } from "../codec/codec.ts";
import type { Path } from "../codec/path.ts";
import { type Attribute, attribute, attributes, nested } from "../netlink/attributes.ts";
import { subsystem } from "../netlink/netfilter.ts";

const SUBSYSTEM = subsystem.nftables << 8;

/** NFT_MSG_*, ready to be a message's type. */
export const nftMessage = {
  newTable: SUBSYSTEM | 0,
  getTable: SUBSYSTEM | 1,
  deleteTable: SUBSYSTEM | 2,
  newChain: SUBSYSTEM | 3,
  getChain: SUBSYSTEM | 4,
  deleteChain: SUBSYSTEM | 5,
  newRule: SUBSYSTEM | 6,
  getRule: SUBSYSTEM | 7,
  deleteRule: SUBSYSTEM | 8,
  newSet: SUBSYSTEM | 9,
  getSet: SUBSYSTEM | 10,
  deleteSet: SUBSYSTEM | 11,
  newElements: SUBSYSTEM | 12,
  getElements: SUBSYSTEM | 13,
  deleteElements: SUBSYSTEM | 14,
  getGeneration: SUBSYSTEM | 16,
} as const;

/** 64 bits in network order. Handles count up from 1, so a number holds them. */
export const u64be: Codec<number> = {
  encode: (value: number): Uint8Array => {
    const out = new Uint8Array(8);
    const view = new DataView(out.buffer);
    view.setUint32(0, Math.floor(value / 0x1_0000_0000), false);
    view.setUint32(4, value % 0x1_0000_0000, false);
    return out;
  },
  decode: (bytes: Uint8Array, path: Path): number => {
    if (bytes.length < 8) throw new DecodeError(path.toString(), `need 8 bytes, have ${bytes.length}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    return view.getUint32(0, false) * 0x1_0000_0000 + view.getUint32(4, false);
  },
};

/** A row of one number in network order, which is what most are. */
const number = (id: number): Attribute<number> => attribute(id, u32be);

/** NFTA_TABLE_* */
export const tableAttributes = attributes({
  name: attribute(1, cstring),
  flags: number(2),
  handle: attribute(4, u64be),
  userdata: attribute(6, raw), // since 5.10
});

/** NFTA_HOOK_* */
export const hookAttributes = attributes({
  hook: number(1), // NF_INET_* or NF_BR_*
  priority: number(2), // signed
});

/** NFTA_CHAIN_* */
export const chainAttributes = attributes({
  table: attribute(1, cstring),
  handle: attribute(2, u64be),
  name: attribute(3, cstring),
  hook: nested(4),
  policy: number(5), // NF_DROP or NF_ACCEPT
  type: attribute(7, cstring),
  userdata: attribute(12, raw), // since 5.10
});

/** NFTA_LIST_*: one member of a list of expressions or elements. */
export const listAttributes = attributes({ element: nested(1) });

/** NFTA_RULE_* */
export const ruleAttributes = attributes({
  table: attribute(1, cstring),
  chain: attribute(2, cstring),
  handle: attribute(3, u64be),
  expressions: nested(4),
  userdata: attribute(7, raw),
});

/** NFTA_SET_* */
export const setAttributes = attributes({
  table: attribute(1, cstring),
  name: attribute(2, cstring),
  flags: number(3), // NFT_SET_*
  keyType: number(4), // for user space only
  keyLength: number(5),
  dataType: number(6), // NFT_DATA_VERDICT, else for user space only
  dataLength: number(7),
  id: number(10), // unique in its batch
  userdata: attribute(13, raw),
});

/** NFTA_SET_ELEM_LIST_* */
export const elementListAttributes = attributes({
  table: attribute(1, cstring),
  set: attribute(2, cstring),
  elements: nested(3),
});

/** NFTA_SET_ELEM_* */
export const elementAttributes = attributes({
  key: nested(1),
  data: nested(2),
  userdata: attribute(6, raw),
});

/** NFTA_DATA_* */
export const dataAttributes = attributes({
  value: attribute(1, raw), // as it lies in registers
  verdict: nested(2),
});

/** NFTA_VERDICT_* */
export const verdictAttributes = attributes({
  code: number(1), // NF_* or NFT_*, signed
  chain: attribute(2, cstring),
});

/** NFTA_EXPR_* */
export const expressionAttributes = attributes({
  name: attribute(1, cstring),
  data: nested(2),
});

/** NFTA_GEN_* */
export const generationAttributes = attributes({ id: number(1) });
