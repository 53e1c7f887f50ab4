import { describe, expect, it } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { Candidates } from "./allocator.ts";
import { RangeSet, type RangeSpec } from "./range.ts";

function set(...subnets: string[]): RangeSet {
  const specs: RangeSpec[] = subnets.map((subnet) => ({
    subnet: Prefix.parse(subnet),
    rangeStart: undefined,
    rangeEnd: undefined,
    gateway: undefined,
  }));
  const { value, problem } = RangeSet.of(specs);
  if (value === undefined) throw new Error(problem);
  return value;
}

function firstFree(ranges: RangeSet, used: readonly string[], last: string): string | undefined {
  const candidates = new Candidates(ranges, Address.parse(last));
  for (let next = candidates.next(); next !== undefined; next = candidates.next()) {
    if (!used.includes(next.address.toString())) return next.address.toString();
  }
  return undefined;
}

function all(ranges: RangeSet, last = ""): string[] {
  const candidates = new Candidates(ranges, Address.parse(last));
  const found: string[] = [];
  for (let next = candidates.next(); next !== undefined; next = candidates.next()) found.push(next.address.toString());
  expect(candidates.next(), "the end stays the end").toBeUndefined();
  return found;
}

describe("Candidates", () => {
  it.each<[string[], string[], string, string]>([
    [["10.0.0.0/29"], [], "", "10.0.0.2"],
    [["2001:db8:1::/64"], [], "", "2001:db8:1::2"],
    [["10.0.0.0/30"], [], "", "10.0.0.2"],
    [["10.0.0.0/29"], ["10.0.0.2"], "", "10.0.0.3"],
    [["10.0.0.0/29"], [], "10.0.0.5", "10.0.0.6"],
    [["10.0.0.0/29"], ["10.0.0.4", "10.0.0.5"], "10.0.0.3", "10.0.0.6"],
    [["10.0.0.0/29"], ["10.0.0.6"], "10.0.0.5", "10.0.0.2"],
    [["10.0.0.0/29"], ["10.0.0.2"], "10.0.0.128", "10.0.0.3"],
    [["10.0.0.0/29"], ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"], "10.0.0.3", "10.0.0.3"],
    [["10.0.0.0/30", "10.0.1.0/30"], [], "", "10.0.0.2"],
    [["10.0.0.0/30", "10.0.1.0/30"], [], "10.0.0.2", "10.0.1.2"],
    [["10.0.0.0/30", "10.0.1.0/30", "10.0.2.0/30"], [], "10.0.2.2", "10.0.0.2"],
  ])("of %j with %j taken, after %s, gives %s first", (subnets, used, last, expected) => {
    expect(firstFree(set(...subnets), used, last)).toBe(expected);
  });

  it.each<[string[], string[]]>([
    [["10.0.0.0/30"], ["10.0.0.2"]],
    [["10.0.0.0/29"], ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]],
    [
      ["10.0.0.0/30", "10.0.1.0/30"],
      ["10.0.0.2", "10.0.1.2"],
    ],
  ])("of %j has nothing when all are taken", (subnets, used) => {
    expect(firstFree(set(...subnets), used, "")).toBeUndefined();
  });

  it("tells every address once, wherever it begins, and neither gateway nor broadcast", () => {
    const inOrder = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"];
    const ranges = set("10.0.0.0/29");
    expect(all(ranges)).toEqual(inOrder);
    expect(all(ranges, "10.0.0.4")).toEqual(["10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    expect(all(ranges, "10.0.0.6")).toEqual([...inOrder]);
    expect(all(ranges, "10.0.0.1")).toEqual([...inOrder]);
  });

  it("goes round several subnets", () => {
    const ranges = set("10.0.0.0/30", "10.0.1.0/29");
    const second = ["10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5", "10.0.1.6"];
    expect(all(ranges)).toEqual(["10.0.0.2", ...second]);
    expect(all(ranges, "10.0.1.5")).toEqual(["10.0.1.6", "10.0.0.2", "10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5"]);
  });

  it("ends at once where the gateway is the only address", () => {
    const one = Address.parse("10.0.0.1");
    const { value } = RangeSet.of([
      { subnet: Prefix.parse("10.0.0.0/30"), rangeStart: one, rangeEnd: one, gateway: one },
    ]);
    if (value === undefined) throw new Error("bad set");
    expect(all(value)).toEqual([]);
  });

  it("begins in a huge range without going through it", () => {
    expect(firstFree(set("fd00::/8"), [], "fd12::ffff")).toBe("fd12::1:0");
  });
});
