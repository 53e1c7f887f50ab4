/** In which order the addresses of a range set are tried: round robin, from the one after the last that was given. Pure. */
import type { Address } from "../../pkg/ip/address.ts";
import type { Range, RangeSet } from "./range.ts";

export interface Candidate {
  readonly address: Address;
  readonly range: Range;
}

/** Goes once through all addresses of a set but its gateways. */
export class Candidates {
  private readonly set: RangeSet;
  private rangeIndex = 0;
  private cursor: Address | undefined;
  private begin: Address | undefined;
  private exhausted = false;

  /** Begins after `last` where that lies in the set, and comes to it at the very end; else with the set's first address. */
  constructor(set: RangeSet, last: Address | undefined) {
    this.set = set;
    const index = last === undefined ? -1 : set.indexOf(last);
    if (index < 0) return;
    this.rangeIndex = index;
    this.cursor = last;
  }

  /** The next one, or `undefined` once all have been told. */
  next(): Candidate | undefined {
    while (!this.exhausted) {
      const candidate = this.step();
      if (candidate === undefined) return undefined;
      const { address } = candidate;
      this.cursor = address;
      if (this.begin === undefined) this.begin = address;
      else if (this.begin.equals(address)) this.exhausted = true;
      if (!this.exhausted && !this.set.isGateway(address)) return candidate;
    }
    return undefined;
  }

  private step(): Candidate | undefined {
    const { ranges } = this.set;
    const current = ranges.at(this.rangeIndex);
    if (this.cursor === undefined) return begin(current);
    if (current !== undefined && !this.cursor.equals(current.end))
      return { address: this.cursor.next(), range: current };
    this.rangeIndex = (this.rangeIndex + 1) % ranges.length;
    return begin(ranges.at(this.rangeIndex));
  }
}

function begin(range: Range | undefined): Candidate | undefined {
  return range === undefined ? undefined : { address: range.start, range };
}
