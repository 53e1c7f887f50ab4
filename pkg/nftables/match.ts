/** Matches: expressions that let a packet go on in its rule, or not. Used by whoever writes rules. */
import type { Address } from "../ip/address.ts";
import type { Prefix } from "../ip/prefix.ts";
import type { Attributes } from "../netlink/attributes.ts";
import { type Datum, hex32, hostU32, padded } from "./datum.ts";
import {
  comparison,
  type Expression,
  expression,
  FIRST_REGISTER,
  type Need,
  putBitwise,
  putCompare,
  putCt,
  putFib,
  putLookup,
  putOutsideRange,
  registerAt,
} from "./expression.ts";
import { packetMark, type Selector } from "./selector.ts";

/** The selector has this value: `tcp dport 80`. */
export function equals(selector: Selector, datum: Datum): Expression {
  return {
    text: `${selector.text} ${datum.text}`,
    needs: selector.needs,
    states: stated(selector, datum),
    encode: (out: Attributes): void => compare(out, selector, comparison.equal, datum.bytes),
  };
}

/** The selector has another value: `oifname != "eth0"`. */
export function differs(selector: Selector, datum: Datum): Expression {
  return {
    text: `${selector.text} != ${datum.text}`,
    needs: selector.needs,
    states: undefined,
    encode: (out: Attributes): void => compare(out, selector, comparison.notEqual, datum.bytes),
  };
}

/** What a match by hand makes needless to check again. */
function stated(selector: Selector, datum: Datum): Need | undefined {
  switch (`${selector.text} ${datum.text}`) {
    case "meta nfproto ipv4":
    case "meta protocol ip":
      return "ipv4";
    case "meta nfproto ipv6":
    case "meta protocol ip6":
      return "ipv6";
    case "meta l4proto tcp":
      return "tcp";
    case "meta l4proto udp":
      return "udp";
    case "meta l4proto sctp":
      return "sctp";
    default:
      return undefined;
  }
}

function compare(out: Attributes, selector: Selector, operator: number, bytes: Uint8Array): void {
  selector.load(out, FIRST_REGISTER, bytes.length);
  putCompare(out, FIRST_REGISTER, operator, bytes);
}

/** The address lies in the prefix: `ip daddr 10.1.0.0/16`. */
export function within(selector: Selector, prefix: Prefix): Expression {
  return prefixMatch(selector, prefix, comparison.equal, "");
}

/** The address lies outside the prefix: `ip daddr != 10.1.0.0/16`. */
export function outside(selector: Selector, prefix: Prefix): Expression {
  return prefixMatch(selector, prefix, comparison.notEqual, "!= ");
}

function prefixMatch(selector: Selector, prefix: Prefix, operator: number, sign: string): Expression {
  const network: Address = prefix.network;
  const whole = prefix.length === prefix.address.bits;
  return {
    text: `${selector.text} ${sign}${whole ? network.toString() : prefix.masked.toString()}`,
    needs: selector.needs,
    states: undefined,
    encode: (out: Attributes): void => {
      const count = prefix.length / 8;
      if (prefix.length > 0 && prefix.length % 8 === 0) {
        compare(out, selector, operator, network.bytes.subarray(0, count)); // whole bytes need no mask
        return;
      }
      selector.load(out, FIRST_REGISTER, selector.length);
      putBitwise(out, FIRST_REGISTER, prefix.mask.bytes, new Uint8Array(selector.length));
      putCompare(out, FIRST_REGISTER, operator, network.bytes);
    },
  };
}

/** The value lies in the range, ends included, in network order: `tcp dport 1000-2000`. */
export function between(selector: Selector, from: Datum, to: Datum): Expression {
  return {
    text: `${selector.text} ${from.text}-${to.text}`,
    needs: selector.needs,
    states: undefined,
    encode: (out: Attributes): void => {
      selector.load(out, FIRST_REGISTER, selector.length);
      putCompare(out, FIRST_REGISTER, comparison.atLeast, from.bytes);
      putCompare(out, FIRST_REGISTER, comparison.atMost, to.bytes);
    },
  };
}

/** The value lies outside the range: `tcp dport != 1000-2000`. */
export function notBetween(selector: Selector, from: Datum, to: Datum): Expression {
  return {
    text: `${selector.text} != ${from.text}-${to.text}`,
    needs: selector.needs,
    states: undefined,
    encode: (out: Attributes): void => {
      selector.load(out, FIRST_REGISTER, selector.length);
      putOutsideRange(out, FIRST_REGISTER, from.bytes, to.bytes);
    },
  };
}

/** `ip saddr . tcp dport`: how nft writes a key of several selectors. */
export function keyText(key: readonly Selector[]): string {
  return key.map((part: Selector): string => part.text).join(" . ");
}

/** Every need of a key's parts. */
export function keyNeeds(key: readonly Selector[]): readonly Need[] {
  return key.flatMap((part: Selector): Need[] => [...part.needs]);
}

/** Loads the selectors one behind the other from the first register on, each padded to whole registers. */
export function loadKey(out: Attributes, key: readonly Selector[]): void {
  let offset = 0;
  for (const part of key) {
    part.load(out, registerAt(offset), part.length);
    offset += padded(part.length);
  }
}

/** The key is an element of the set: `ip saddr . ip daddr @allowed`. */
export function inSet(key: readonly Selector[], set: string): Expression {
  return setMatch(key, set, false);
}

/** The key is no element of the set: `ip saddr != @allowed`. */
export function notInSet(key: readonly Selector[], set: string): Expression {
  return setMatch(key, set, true);
}

function setMatch(key: readonly Selector[], set: string, inverted: boolean): Expression {
  return {
    text: `${keyText(key)} ${inverted ? "!= " : ""}@${set}`,
    needs: keyNeeds(key),
    states: undefined,
    encode: (out: Attributes): void => {
      loadKey(out, key);
      putLookup(out, set, inverted);
    },
  };
}

/** The mark's bits under the mask have this value: `meta mark & 0x00002000 == 0x00002000`. */
export function markIs(bits: number, mask: number): Expression {
  return markMatch(bits, mask, comparison.equal, "==");
}

/** The mark's bits under the mask have another value. */
export function markIsNot(bits: number, mask: number): Expression {
  return markMatch(bits, mask, comparison.notEqual, "!=");
}

function markMatch(bits: number, mask: number, operator: number, sign: string): Expression {
  return expression(`meta mark & ${hex32(mask)} ${sign} ${hex32(bits)}`, (out: Attributes): void => {
    packetMark.load(out, FIRST_REGISTER, 4);
    putBitwise(out, FIRST_REGISTER, hostU32(mask), hostU32(0));
    putCompare(out, FIRST_REGISTER, operator, hostU32(bits));
  });
}

/** Whose kind the routing table is asked for. */
export type FibAddress = "saddr" | "daddr";
/** Kinds of addresses (RTN_*), as far as rules here ask for them. */
export type FibType = "unicast" | "local" | "broadcast" | "multicast";

const FIB_RESULT_ADDRTYPE = 3;

/** The address is of this kind on this host: `fib daddr type local`. */
export function fibType(of: FibAddress, type: FibType): Expression {
  return expression(`fib ${of} type ${type}`, (out: Attributes): void => {
    putFib(out, FIRST_REGISTER, FIB_RESULT_ADDRTYPE, of === "saddr" ? 1 : 2);
    putCompare(out, FIRST_REGISTER, comparison.equal, hostU32(routeType(type)));
  });
}

function routeType(type: FibType): number {
  switch (type) {
    case "unicast":
      return 1;
    case "local":
      return 2;
    case "broadcast":
      return 3;
    case "multicast":
      return 5;
  }
}

/** States of a connection (NF_CT_STATE_BIT). */
export type CtState = "invalid" | "established" | "related" | "new" | "untracked";
/** What was done to a connection (enum ip_conntrack_status), as far as rules here ask for it. */
export type CtStatus = "snat" | "dnat";

const CT_STATE = 0;
const CT_STATUS = 2;

/** The connection is in one of these states: `ct state established,related`. */
export function ctState(states: readonly CtState[]): Expression {
  return ctMatch(`ct state ${states.join(",")}`, CT_STATE, stateBits(states), comparison.notEqual);
}

/** The connection is in none of these states: `ct state != established,related`. */
export function ctStateIsNot(states: readonly CtState[]): Expression {
  return ctMatch(`ct state != ${states.join(",")}`, CT_STATE, stateBits(states), comparison.equal);
}

/** The connection's addresses were translated so: `ct status dnat`. */
export function ctStatus(status: CtStatus): Expression {
  return ctMatch(`ct status ${status}`, CT_STATUS, status === "snat" ? 0x10 : 0x20, comparison.notEqual);
}

/** `operator` compares the key's bits with none. */
function ctMatch(text: string, key: number, bits: number, operator: number): Expression {
  return expression(text, (out: Attributes): void => {
    putCt(out, FIRST_REGISTER, key);
    putBitwise(out, FIRST_REGISTER, hostU32(bits), hostU32(0));
    putCompare(out, FIRST_REGISTER, operator, hostU32(0));
  });
}

function stateBits(states: readonly CtState[]): number {
  let bits = 0;
  for (const state of states) bits |= stateBit(state);
  return bits;
}

function stateBit(state: CtState): number {
  switch (state) {
    case "invalid":
      return 1;
    case "established":
      return 2;
    case "related":
      return 4;
    case "new":
      return 8;
    case "untracked":
      return 0x40;
  }
}
