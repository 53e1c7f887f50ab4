import { describe, expect, it } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { finishRange, RangeSet, type RangeSpec } from "./range.ts";

function spec(subnet: string, rangeStart = "", rangeEnd = "", gateway = ""): RangeSpec {
  return {
    subnet: Prefix.parse(subnet),
    rangeStart: Address.parse(rangeStart),
    rangeEnd: Address.parse(rangeEnd),
    gateway: Address.parse(gateway),
  };
}

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

describe("finishRange", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.1", "192.0.2.254", "192.0.2.1"],
    ["192.0.2.0/25", "192.0.2.1", "192.0.2.126", "192.0.2.1"],
    ["192.0.2.128/25", "192.0.2.129", "192.0.2.254", "192.0.2.129"],
    ["10.0.0.0/30", "10.0.0.1", "10.0.0.2", "10.0.0.1"],
    ["2001:db8:1::/64", "2001:db8:1::1", "2001:db8:1:0:ffff:ffff:ffff:ffff", "2001:db8:1::1"],
  ])("gives %s its defaults", (subnet, start, end, gateway) => {
    const range = finishRange(spec(subnet)).value;
    expect([range?.start.toString(), range?.end.toString(), range?.gateway.toString()]).toEqual([start, end, gateway]);
  });

  it("keeps what is configured, a gateway outside the subnet included", () => {
    const range = finishRange(spec("192.0.2.0/24", "192.0.2.40", "192.0.2.50", "198.51.100.1")).value;
    expect(range?.start.toString()).toBe("192.0.2.40");
    expect(range?.end.toString()).toBe("192.0.2.50");
    expect(range?.gateway.toString()).toBe("198.51.100.1");
  });

  it.each([
    [spec(""), "a range needs a subnet"],
    [spec("10.1.0.0/31"), "Network 10.1.0.0/31 too small to allocate from"],
    [spec("10.1.0.1/32"), "Network 10.1.0.1/32 too small to allocate from"],
    [spec("2001:db8::/127"), "Network 2001:db8::/127 too small to allocate from"],
    [spec("10.1.0.6/24"), "Network has host bits set. For a subnet mask of length 24 the network address is 10.1.0.0"],
    [
      spec("2001:db8:1::24:19ff:fee1:c44a/64"),
      "Network has host bits set. For a subnet mask of length 64 the network address is 2001:db8:1::",
    ],
    [spec("10.1.0.0/24", "10.1.1.5"), "RangeStart 10.1.1.5 not in network 10.1.0.0/24"],
    [spec("10.1.0.0/24", "fd00::5"), "RangeStart fd00::5 not in network 10.1.0.0/24"],
    [spec("10.1.0.0/24", "", "10.1.1.5"), "RangeEnd 10.1.1.5 not in network 10.1.0.0/24"],
    [
      spec("10.1.0.0/24", "10.1.0.9", "10.1.0.3"),
      "RangeStart 10.1.0.9 not in network 10.1.0.0/24 up to RangeEnd 10.1.0.3",
    ],
    [spec("10.1.0.0/24", "", "", "fd00::1"), "gateway fd00::1 is not of the family of 10.1.0.0/24"],
  ])("refuses what cannot be served (%#)", (bad, problem) => {
    expect(finishRange(bad)).toEqual({ value: undefined, problem });
  });
});

describe("RangeSet", () => {
  it.each([
    [[], "empty range set"],
    [[spec("10.1.0.0/24"), spec("fd00::/64")], "mixed address families"],
    [[spec("10.1.0.0/24"), spec("10.1.0.0/24")], "subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.254 overlap"],
    [[spec("10.1.0.0/16"), spec("10.1.3.0/24")], "subnets 10.1.0.1-10.1.255.254 and 10.1.3.1-10.1.3.254 overlap"],
    [
      [spec("10.1.0.0/24", "10.1.0.10", "10.1.0.20"), spec("10.1.0.0/24", "10.1.0.20", "10.1.0.30")],
      "subnets 10.1.0.10-10.1.0.20 and 10.1.0.20-10.1.0.30 overlap",
    ],
  ])("refuses what contradicts itself (%#)", (specs, problem) => {
    expect(RangeSet.of(specs)).toEqual({ value: undefined, problem });
  });

  it("takes two parts of one subnet", () => {
    const specs = [spec("10.1.0.0/24", "10.1.0.10", "10.1.0.20"), spec("10.1.0.0/24", "10.1.0.21", "10.1.0.30")];
    expect(RangeSet.of(specs).value?.toString()).toBe("10.1.0.10-10.1.0.20,10.1.0.21-10.1.0.30");
  });

  it("knows what lies in it", () => {
    const set = RangeSet.of([spec("192.0.2.0/24", "192.0.2.40", "192.0.2.50")]).value;
    for (const inside of ["192.0.2.40", "192.0.2.45", "192.0.2.50"]) expect(set?.contains(address(inside))).toBe(true);
    for (const outside of ["192.0.2.39", "192.0.2.51", "192.0.3.45", "::ffff:192.0.2.45"]) {
      expect(set?.contains(address(outside))).toBe(false);
    }
  });

  it.each([
    ["10.0.0.0/24", "10.0.1.0/24", false],
    ["10.0.0.0/24", "2001:db8::/64", false],
    ["10.0.0.0/24", "10.0.0.0/24", true],
    ["10.0.0.0/20", "10.0.1.0/24", true],
    ["10.0.1.0/24", "10.0.0.0/20", true],
    ["2001:db8::/48", "2001:db8:0:1::/64", true],
  ])("%s and %s overlap: %s", (one, other, expected) => {
    const first = RangeSet.of([spec(one)]).value;
    const second = RangeSet.of([spec(other)]).value;
    if (first === undefined || second === undefined) throw new Error("bad set");
    expect(first.overlaps(second)).toBe(expected);
  });

  it.each([
    [[spec("10.0.0.0/30")], 1n],
    [[spec("10.0.0.0/24")], 253n],
    [[spec("10.0.0.0/24", "10.0.0.10", "10.0.0.19")], 10n],
    [[spec("fd00::/64")], 2n ** 64n - 2n],
    [[spec("fd00::/8")], 2n ** 120n - 2n],
    [[spec("10.0.0.0/30"), spec("10.0.1.0/29")], 6n],
  ])("counts what it can give without going through it (%#)", (specs, count) => {
    expect(RangeSet.of(specs).value?.capacity).toBe(count);
  });
});
