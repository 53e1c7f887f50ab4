/**
 * Conditions in nft's words, as the configuration gives them: read into expressions. What can be said is what SUPPORTED lists;
 * anything else is refused by name instead of being guessed.
 */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { addressDatum, type Datum, interfaceDatum, markDatum, portDatum } from "../../pkg/nftables/datum.ts";
import type { Expression } from "../../pkg/nftables/expression.ts";
import {
  between,
  type CtState,
  ctState,
  ctStateIsNot,
  differs,
  equals,
  markIs,
  markIsNot,
  notBetween,
  outside,
  within,
} from "../../pkg/nftables/match.ts";
import {
  destinationPort,
  inputInterface,
  ip4Destination,
  ip4Source,
  ip6Destination,
  ip6Source,
  outputInterface,
  packetMark,
  type Selector,
  sctpDestinationPort,
  sctpSourcePort,
  sourcePort,
  tcpDestinationPort,
  tcpSourcePort,
  udpDestinationPort,
  udpSourcePort,
} from "../../pkg/nftables/selector.ts";
import { WordReader } from "./word-reader.ts";

const SUPPORTED =
  "supported: ip|ip6 saddr|daddr, tcp|udp|sctp|th sport|dport, iifname, oifname, meta mark [& MASK], ct state; " +
  "with != before, and ranges, prefixes and { a, b } as values";

/** One value of a selector: what says that a packet has it, and what says that it has not. */
interface Value {
  readonly is: Expression;
  readonly isNot: Expression;
}

/** How the text of one value becomes a Value; `undefined` when it is none. */
type ReadValue = (text: string) => Value | undefined;

/**
 * The conditions as rules' expressions: a packet must pass all of any one list. Sets of values make several lists, since each
 * rule has one value. No conditions make one empty list.
 * @throws CniError 7 naming the word that is not understood
 */
export function parseConditions(words: readonly string[], key: string): Expression[][] {
  const reader = new WordReader(words, key, SUPPORTED);
  let alternatives: Expression[][] = [[]];
  while (!reader.atEnd) {
    const choices = readMatch(reader);
    const longer: Expression[][] = [];
    for (const earlier of alternatives) {
      for (const choice of choices) longer.push(joined(earlier, choice));
    }
    alternatives = longer;
  }
  return alternatives;
}

function joined(one: readonly Expression[], other: readonly Expression[]): Expression[] {
  const all: Expression[] = [];
  for (const each of one) all.push(each);
  for (const each of other) all.push(each);
  return all;
}

/** One match: the lists of expressions of which one must be passed. */
function readMatch(reader: WordReader): Expression[][] {
  const read = readSelector(reader);
  const negated = readSign(reader);
  const values = readValues(reader, read);
  if (negated) return [values.map((value: Value): Expression => value.isNot)];
  return values.map((value: Value): Expression[] => [value.is]);
}

function readSign(reader: WordReader): boolean {
  const word = reader.peek();
  if (word !== "!=" && word !== "==") return false;
  reader.next();
  return word === "!=";
}

function readValues(reader: WordReader, read: ReadValue): Value[] {
  if (reader.peek() !== "{") return [readOne(reader, read)];
  reader.next();
  const values: Value[] = [];
  for (;;) {
    values.push(readOne(reader, read));
    const word = reader.next();
    if (word === "}") return values;
    if (word !== ",") throw reader.refusal(word, "expected , or }");
    if (reader.peek() === "}") {
      reader.next();
      return values;
    }
  }
}

function readOne(reader: WordReader, read: ReadValue): Value {
  const word = reader.next();
  const value = read(word);
  if (value === undefined) throw reader.refusal(word, "no value that fits");
  return value;
}

function readSelector(reader: WordReader): ReadValue {
  const first = reader.next();
  switch (first) {
    case "iifname":
      return interfaces(inputInterface);
    case "oifname":
      return interfaces(outputInterface);
    case "mark":
      return readMark(reader);
    case "meta":
    case "ip":
    case "ip6":
    case "tcp":
    case "udp":
    case "sctp":
    case "th":
    case "ct":
      break;
    default:
      throw reader.refusal(first, "no selector that is understood");
  }
  const second = reader.next();
  switch (`${first} ${second}`) {
    case "meta iifname":
      return interfaces(inputInterface);
    case "meta oifname":
      return interfaces(outputInterface);
    case "meta mark":
      return readMark(reader);
    case "ip saddr":
      return addresses(ip4Source);
    case "ip daddr":
      return addresses(ip4Destination);
    case "ip6 saddr":
      return addresses(ip6Source);
    case "ip6 daddr":
      return addresses(ip6Destination);
    case "tcp sport":
      return ports(tcpSourcePort);
    case "tcp dport":
      return ports(tcpDestinationPort);
    case "udp sport":
      return ports(udpSourcePort);
    case "udp dport":
      return ports(udpDestinationPort);
    case "sctp sport":
      return ports(sctpSourcePort);
    case "sctp dport":
      return ports(sctpDestinationPort);
    case "th sport":
      return ports(sourcePort);
    case "th dport":
      return ports(destinationPort);
    case "ct state":
      return states(reader);
    default:
      throw reader.refusal(second, `no selector of ${first} that is understood`);
  }
}

function interfaces(selector: Selector): ReadValue {
  return (text: string): Value | undefined => {
    if (new TextEncoder().encode(text).length > 15) return undefined;
    const datum = interfaceDatum(text);
    return { is: equals(selector, datum), isNot: differs(selector, datum) };
  };
}

function addresses(selector: Selector): ReadValue {
  return (text: string): Value | undefined => {
    const prefix = Prefix.parse(text);
    if (prefix !== undefined) {
      return fits(selector, prefix.address)
        ? { is: within(selector, prefix), isNot: outside(selector, prefix) }
        : undefined;
    }
    return range(selector, text, (one: string): Datum | undefined => {
      const address = Address.parse(one);
      return address !== undefined && fits(selector, address) ? addressDatum(address) : undefined;
    });
  };
}

function fits(selector: Selector, address: Address): boolean {
  return address.bytes.length === selector.length;
}

function ports(selector: Selector): ReadValue {
  return (text: string): Value | undefined =>
    range(selector, text, (one: string): Datum | undefined => {
      const port = /^[0-9]{1,5}$/.test(one) ? Number(one) : -1;
      return port >= 0 && port <= 65535 ? portDatum(port) : undefined;
    });
}

/** A single value, or two joined by `-`. */
function range(selector: Selector, text: string, read: (one: string) => Datum | undefined): Value | undefined {
  const single = read(text);
  if (single !== undefined) return { is: equals(selector, single), isNot: differs(selector, single) };
  const dash = text.indexOf("-");
  if (dash < 0) return undefined;
  const from = read(text.slice(0, dash));
  const to = read(text.slice(dash + 1));
  if (from === undefined || to === undefined) return undefined;
  return { is: between(selector, from, to), isNot: notBetween(selector, from, to) };
}

/** `mark 0x1`, `mark & 0xff == 0x1`. */
function readMark(reader: WordReader): ReadValue {
  if (reader.peek() !== "&" && reader.peek() !== "and") {
    return (text: string): Value | undefined => {
      const mark = number32(text);
      if (mark === undefined) return undefined;
      return { is: equals(packetMark, markDatum(mark)), isNot: differs(packetMark, markDatum(mark)) };
    };
  }
  reader.next();
  const word = reader.next();
  const mask = number32(word);
  if (mask === undefined) throw reader.refusal(word, "no mask");
  return (text: string): Value | undefined => {
    const bits = number32(text);
    return bits === undefined ? undefined : { is: markIs(bits, mask), isNot: markIsNot(bits, mask) };
  };
}

function number32(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
}

const stateNames: readonly CtState[] = ["invalid", "established", "related", "new", "untracked"];

/** `ct state new,established` is one value of several states. */
function states(reader: WordReader): ReadValue {
  return (text: string): Value | undefined => {
    const found: CtState[] = [];
    let word = text;
    for (;;) {
      const state = stateNames.find((name) => name === word);
      if (state === undefined) return undefined;
      found.push(state);
      if (reader.insideBraces || reader.peek() !== ",") break;
      reader.next();
      word = reader.next();
    }
    return { is: ctState(found), isNot: ctStateIsNot(found) };
  };
}
