import { describe, expect, test } from "vitest";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { matchesOf } from "./scope.ts";

function prefixes(...texts: readonly string[]): Prefix[] {
  return texts.map((text) => {
    const prefix = Prefix.parse(text);
    if (prefix === undefined) throw new Error(text);
    return prefix;
  });
}

test("without subnets there is one filter, the reference's: of priority 1, for every packet", () => {
  expect(matchesOf({ shaped: [], unshaped: [] }, "source")).toEqual([
    { priority: 1, protocol: 3, keys: [], limited: true },
  ]);
});

describe("where the other end is", () => {
  const scope = { shaped: prefixes("10.1.2.3/20", "2001:db8:1::/36"), unshaped: [] };
  test.each([
    { end: "source" as const, four: 12, six: 8 },
    { end: "destination" as const, four: 16, six: 24 },
  ])("$end: compared at its place in the header, as far as the prefix reaches", ({ end, four, six }) => {
    expect(matchesOf(scope, end)).toEqual([
      { priority: 1, protocol: 0x800, keys: [{ offset: four, value: 0x0a010000, mask: 0xfffff000 }], limited: true },
      {
        priority: 2,
        protocol: 0x86dd,
        keys: [
          { offset: six, value: 0x20010db8, mask: 0xffffffff },
          { offset: six + 4, value: 0, mask: 0xf0000000 },
        ],
        limited: true,
      },
    ]);
  });
});

test("unshaped subnets come first, and all else is limited", () => {
  const matches = matchesOf({ shaped: [], unshaped: prefixes("2001:db8::/32", "10.0.0.0/8") }, "source");
  expect(matches.map(({ priority, limited }) => [priority, limited])).toEqual([
    [1, false],
    [2, false],
    [3, true],
  ]);
});

test("a prefix of length 0 is every packet of its family", () => {
  expect(matchesOf({ shaped: prefixes("::/0"), unshaped: [] }, "source")).toEqual([
    { priority: 2, protocol: 0x86dd, keys: [], limited: true },
  ]);
});
