/**
 * One expression of a rule: its nft text and its encoding, made together so that they cannot drift apart.
 * Also the kernel's primitive expressions, which the builders in match.ts, statement.ts and nat.ts are put together from.
 * Source: linux/netfilter/nf_tables.h.
 */
import { cstring, u8, u32be } from "../codec/codec.ts";
import { Attributes, attribute, attributes, nested } from "../netlink/attributes.ts";
import { dataAttributes, expressionAttributes, listAttributes, verdictAttributes } from "./messages.ts";
import type { TableFamily } from "./table.ts";

/** What a packet must be known to be before an expression may read it; a rule establishes each once, as nft does. */
export type Need = "ethernet" | "ipv4" | "ipv6" | "tcp" | "udp" | "sctp";

/** Appends the kernel's expressions to a rule's list. */
export type Encode = (out: Attributes) => void;

/** One expression. `states` is the need that the rest of the rule may count on after it. */
export interface Expression {
  readonly text: string;
  readonly needs: readonly Need[];
  readonly states: Need | undefined;
  readonly encode: Encode;
}

/** An expression that needs nothing and states nothing. */
export function expression(text: string, encode: Encode): Expression {
  return { text, needs: [], states: undefined, encode };
}

/** The first of the 128-bit registers; the kernel knows it as the 32-bit registers 8 to 11 as well. */
export const FIRST_REGISTER = 1;
const FIRST_SMALL_REGISTER = 8;

/** The register that starts `offset` bytes (a multiple of 4) behind the first. */
export function registerAt(offset: number): number {
  return offset === 0 ? FIRST_REGISTER : FIRST_SMALL_REGISTER + offset / 4;
}

const payloadAttributes = attributes({
  destination: attribute(1, u32be), // register
  base: attribute(2, u32be), // NFT_PAYLOAD_*
  offset: attribute(3, u32be), // bytes
  length: attribute(4, u32be), // bytes
});
const metaAttributes = attributes({
  destination: attribute(1, u32be),
  key: attribute(2, u32be), // NFT_META_*
  source: attribute(3, u32be),
});
const ctAttributes = attributes({
  destination: attribute(1, u32be),
  key: attribute(2, u32be), // NFT_CT_*
  direction: attribute(3, u8), // 0: as the first packet came
});
const fibAttributes = attributes({
  destination: attribute(1, u32be),
  result: attribute(2, u32be), // NFT_FIB_RESULT_*
  flags: attribute(3, u32be), // NFTA_FIB_F_*
});
export const compareAttributes = attributes({
  source: attribute(1, u32be),
  operator: attribute(2, u32be), // NFT_CMP_*
  value: nested(3),
});
const rangeAttributes = attributes({
  source: attribute(1, u32be),
  operator: attribute(2, u32be), // NFT_RANGE_*
  from: nested(3),
  to: nested(4),
});
const bitwiseAttributes = attributes({
  source: attribute(1, u32be),
  destination: attribute(2, u32be),
  length: attribute(3, u32be), // bytes
  mask: nested(4),
  xor: nested(5),
});
export const immediateAttributes = attributes({
  destination: attribute(1, u32be), // 0: the verdict
  value: nested(2),
});
const lookupAttributes = attributes({
  set: attribute(1, cstring),
  source: attribute(2, u32be),
  destination: attribute(3, u32be),
  flags: attribute(5, u32be), // 1: not in the set
});

/** NFT_CMP_* */
export const comparison = { equal: 0, notEqual: 1, atMost: 3, atLeast: 5 } as const;
/** NFT_PAYLOAD_*_HEADER */
export const header = { link: 0, network: 1, transport: 2 } as const;
/** NFT_META_* */
export const metaKey = {
  protocol: 1,
  mark: 3,
  inputName: 6,
  outputName: 7,
  inputType: 8,
  family: 15,
  transport: 16,
} as const;

/** Appends one kernel expression by name. */
export function put(out: Attributes, name: string, data: Attributes): void {
  const body = new Attributes().set(expressionAttributes.name, name).set(expressionAttributes.data, data);
  out.set(listAttributes.element, body);
}

/** Bytes as a value in a register. */
export function value(bytes: Uint8Array): Attributes {
  return new Attributes().set(dataAttributes.value, bytes);
}

/** Reads `length` bytes of a packet's header. */
export function putPayload(out: Attributes, register: number, base: number, offset: number, length: number): void {
  const data = new Attributes()
    .set(payloadAttributes.destination, register)
    .set(payloadAttributes.base, base)
    .set(payloadAttributes.offset, offset)
    .set(payloadAttributes.length, length);
  put(out, "payload", data);
}

/** Reads what the kernel knows of a packet beside its bytes. */
export function putMeta(out: Attributes, register: number, key: number): void {
  put(out, "meta", new Attributes().set(metaAttributes.destination, register).set(metaAttributes.key, key));
}

/** Writes a register to a packet's metadata. */
export function putMetaSet(out: Attributes, register: number, key: number): void {
  put(out, "meta", new Attributes().set(metaAttributes.key, key).set(metaAttributes.source, register));
}

/** Reads a key of the packet's connection; those that each direction has take one. */
export function putCt(out: Attributes, register: number, key: number, direction?: number): void {
  const data = new Attributes().set(ctAttributes.destination, register).set(ctAttributes.key, key);
  put(out, "ct", data.set(ctAttributes.direction, direction));
}

/** Asks the routing table. */
export function putFib(out: Attributes, register: number, result: number, flags: number): void {
  const data = new Attributes()
    .set(fibAttributes.destination, register)
    .set(fibAttributes.result, result)
    .set(fibAttributes.flags, flags);
  put(out, "fib", data);
}

/** Goes on only if the register compares so with the bytes. */
export function putCompare(out: Attributes, register: number, operator: number, bytes: Uint8Array): void {
  const data = new Attributes()
    .set(compareAttributes.source, register)
    .set(compareAttributes.operator, operator)
    .set(compareAttributes.value, value(bytes));
  put(out, "cmp", data);
}

/** Goes on only if the register lies outside the range, both ends included. */
export function putOutsideRange(out: Attributes, register: number, from: Uint8Array, to: Uint8Array): void {
  const data = new Attributes()
    .set(rangeAttributes.source, register)
    .set(rangeAttributes.operator, 1)
    .set(rangeAttributes.from, value(from))
    .set(rangeAttributes.to, value(to));
  put(out, "range", data);
}

/** register = (register & mask) ^ xor */
export function putBitwise(out: Attributes, register: number, mask: Uint8Array, xor: Uint8Array): void {
  const data = new Attributes()
    .set(bitwiseAttributes.source, register)
    .set(bitwiseAttributes.destination, register)
    .set(bitwiseAttributes.length, mask.length)
    .set(bitwiseAttributes.mask, value(mask))
    .set(bitwiseAttributes.xor, value(xor));
  put(out, "bitwise", data);
}

/** Loads bytes into a register. */
export function putImmediate(out: Attributes, register: number, bytes: Uint8Array): void {
  const data = new Attributes().set(immediateAttributes.destination, register);
  put(out, "immediate", data.set(immediateAttributes.value, value(bytes)));
}

/** A verdict as data; `chain` is the target of jump and goto. */
export function verdictData(code: number, chain: string | undefined): Attributes {
  const body = new Attributes().set(verdictAttributes.code, code >>> 0).set(verdictAttributes.chain, chain);
  return new Attributes().set(dataAttributes.verdict, body);
}

/** Decides. */
export function putVerdict(out: Attributes, code: number, chain: string | undefined): void {
  const data = new Attributes().set(immediateAttributes.destination, 0);
  put(out, "immediate", data.set(immediateAttributes.value, verdictData(code, chain)));
}

/** Goes on only if the key that begins in the first register is in the set (or is not, when `inverted`). */
export function putLookup(out: Attributes, set: string, inverted: boolean): void {
  const data = new Attributes().set(lookupAttributes.set, set).set(lookupAttributes.source, FIRST_REGISTER);
  put(out, "lookup", data.set(lookupAttributes.flags, inverted ? 1 : undefined));
}

/** Looks up the key that begins in the first register; what the map holds for it goes to `register` (0: the verdict). */
export function putMapLookup(out: Attributes, map: string, register: number): void {
  const data = new Attributes().set(lookupAttributes.set, map).set(lookupAttributes.source, FIRST_REGISTER);
  put(out, "lookup", data.set(lookupAttributes.destination, register));
}

/** Makes sure that a packet is what later expressions read it as; nothing where the table's family says it already. */
export function putNeed(out: Attributes, need: Need, family: TableFamily): void {
  switch (need) {
    case "ethernet":
      if (family !== "bridge") putMatch(out, metaKey.inputType, new Uint8Array([1, 0])); // ARPHRD_ETHER, host order
      return;
    case "ipv4":
      if (family === "inet") putMatch(out, metaKey.family, new Uint8Array([2]));
      if (family === "bridge") putMatch(out, metaKey.protocol, new Uint8Array([0x08, 0x00]));
      return;
    case "ipv6":
      if (family === "inet") putMatch(out, metaKey.family, new Uint8Array([10]));
      if (family === "bridge") putMatch(out, metaKey.protocol, new Uint8Array([0x86, 0xdd]));
      return;
    case "tcp":
      putMatch(out, metaKey.transport, new Uint8Array([6]));
      return;
    case "udp":
      putMatch(out, metaKey.transport, new Uint8Array([17]));
      return;
    case "sctp":
      putMatch(out, metaKey.transport, new Uint8Array([132]));
      return;
  }
}

function putMatch(out: Attributes, key: number, bytes: Uint8Array): void {
  putMeta(out, FIRST_REGISTER, key);
  putCompare(out, FIRST_REGISTER, comparison.equal, bytes);
}
