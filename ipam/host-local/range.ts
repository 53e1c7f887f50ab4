/** Ranges of addresses and sets of them, from which one address each is given. Pure. */
import type { Address, Family } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";

/** A range as configured. */
export interface RangeSpec {
  readonly subnet: Prefix | undefined;
  readonly rangeStart: Address | undefined;
  readonly rangeEnd: Address | undefined;
  readonly gateway: Address | undefined;
}

/** A range with nothing left open; both ends belong to it. */
export interface Range {
  readonly subnet: Prefix;
  readonly start: Address;
  readonly end: Address;
  readonly gateway: Address;
}

/** What came of a range or a set: the finished value, or why there is none. */
export interface Finished<T> {
  readonly value: T | undefined;
  readonly problem: string;
}

function refused<T>(problem: string): Finished<T> {
  return { value: undefined, problem };
}

/** Fills in defaults: the gateway is the first address, and the range all between network and broadcast address. */
export function finishRange(spec: RangeSpec): Finished<Range> {
  const subnet = spec.subnet;
  if (subnet === undefined) return refused("a range needs a subnet");
  const network = subnet.network;
  const text = subnet.toString();
  if (subnet.length > network.bits - 2) return refused(`Network ${text} too small to allocate from`);
  if (!subnet.address.equals(network)) {
    const hint = `For a subnet mask of length ${subnet.length} the network address is ${network.toString()}`;
    return refused(`Network has host bits set. ${hint}`);
  }
  const start = spec.rangeStart ?? network.next();
  const end = spec.rangeEnd ?? lastOf(subnet);
  const gateway = spec.gateway ?? network.next();
  if (gateway.family !== subnet.family) return refused(`gateway ${gateway.toString()} is not of the family of ${text}`);
  if (!subnet.contains(start)) return refused(`RangeStart ${start.toString()} not in network ${text}`);
  if (!subnet.contains(end)) return refused(`RangeEnd ${end.toString()} not in network ${text}`);
  if (start.compare(end) > 0) {
    return refused(`RangeStart ${start.toString()} not in network ${text} up to RangeEnd ${end.toString()}`);
  }
  return { value: { subnet, start, end, gateway }, problem: "" };
}

/** IPv4 keeps the broadcast address; IPv6 has none. */
function lastOf(subnet: Prefix): Address {
  return subnet.family === 4 ? subnet.last.previous() : subnet.last;
}

function holds(range: Range, address: Address): boolean {
  if (address.family !== range.subnet.family) return false;
  return range.start.compare(address) <= 0 && address.compare(range.end) <= 0;
}

function rangeText(range: Range): string {
  return `${range.start.toString()}-${range.end.toString()}`;
}

function overlap(one: Range, other: Range): boolean {
  return holds(one, other.start) || holds(one, other.end) || holds(other, one.start);
}

/** An address as a number, for counting. */
function numberOf(address: Address): bigint {
  let number = 0n;
  for (const byte of address.bytes) number = number * 256n + BigInt(byte);
  return number;
}

/** Ranges of one family that do not overlap. An attachment gets one address of each set. */
export class RangeSet {
  readonly ranges: readonly Range[];

  private constructor(ranges: readonly Range[]) {
    this.ranges = ranges;
  }

  static of(specs: readonly RangeSpec[]): Finished<RangeSet> {
    const ranges: Range[] = [];
    for (const spec of specs) {
      const { value, problem } = finishRange(spec);
      if (value === undefined) return refused(problem);
      for (const earlier of ranges) {
        if (earlier.subnet.family !== value.subnet.family) return refused("mixed address families");
        if (overlap(earlier, value)) return refused(`subnets ${rangeText(earlier)} and ${rangeText(value)} overlap`);
      }
      ranges.push(value);
    }
    if (ranges.length === 0) return refused("empty range set");
    return { value: new RangeSet(ranges), problem: "" };
  }

  get family(): Family {
    return this.ranges.at(0)?.subnet.family ?? 4;
  }

  /** Which of the ranges an address lies in; -1 when in none. */
  indexOf(address: Address): number {
    for (const [index, range] of this.ranges.entries()) if (holds(range, address)) return index;
    return -1;
  }

  /** The range that an address lies in. */
  find(address: Address): Range | undefined {
    return this.ranges.find((range) => holds(range, address));
  }

  contains(address: Address): boolean {
    return this.indexOf(address) >= 0;
  }

  /** Gateways are never given, by whichever of the set's ranges they are named. */
  isGateway(address: Address): boolean {
    return this.ranges.some((range) => range.gateway.equals(address));
  }

  overlaps(other: RangeSet): boolean {
    return this.ranges.some((one) => other.ranges.some((two) => overlap(one, two)));
  }

  /** How many addresses can be given in all. */
  get capacity(): bigint {
    let count = 0n;
    for (const range of this.ranges) count = count + numberOf(range.end) - numberOf(range.start) + 1n;
    const gateways = new Set<string>();
    for (const { gateway } of this.ranges) if (this.contains(gateway)) gateways.add(gateway.toString());
    return count - BigInt(gateways.size);
  }

  /** `10.1.0.1-10.1.0.2,10.2.0.1-10.2.0.9` */
  toString(): string {
    const texts: string[] = [];
    for (const range of this.ranges) texts.push(rangeText(range));
    return texts.join(",");
  }
}
