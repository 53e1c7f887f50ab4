import { describe, expect, test } from "vitest";
import {
  chainDeletion,
  chainsWithComment,
  commentWords,
  deletion,
  hasChain,
  inFront,
  jumpsTo,
  jumpTarget,
  ruleLine,
  rulesOf,
} from "./rule-line.ts";

describe("ruleLine()", () => {
  const rows: readonly (readonly [words: readonly string[], line: string])[] = [
    [["-A", "X", "-s", "10.1.0.0/24", "-j", "ACCEPT"], "-A X -s 10.1.0.0/24 -j ACCEPT"],
    [["!", "-d", "fd00::/8"], "! -d fd00::/8"],
    [["--to-destination", "[fd00::2]:80"], "--to-destination [fd00::2]:80"],
    [["--dports", "80,81:90"], "--dports 80,81:90"],
    [commentWords('name: "net" id: "c1"'), '-m comment --comment "name: \\"net\\" id: \\"c1\\""'],
    [["a\\b"], '"a\\\\b"'],
    [[""], '""'],
    [["x;y", "$z", "'q'"], '"x;y" "$z" "\'q\'"'],
  ];

  test.each(rows)("quotes %j as iptables-restore reads it", (words, line) => {
    expect(ruleLine(words)).toBe(line);
  });

  test("refuses a line break, which would begin another rule", () => {
    expect(() => ruleLine(["-A", "X\n-F"])).toThrow(/control character/);
  });
});

describe("saved tables", () => {
  const saved = [
    ":POSTROUTING ACCEPT [0:0]",
    ":CNI-1 - [0:0]",
    ":CNI-12 - [0:0]",
    "-A POSTROUTING -s 10.1.0.2/32 -j CNI-1",
    "-A POSTROUTING -s 10.1.0.3/32 -j CNI-12",
    "-A CNI-1 -d 10.1.0.0/24 -j ACCEPT",
  ];

  test("chains and rules are found by their whole names", () => {
    expect(hasChain(saved, "CNI-1")).toBe(true);
    expect(hasChain(saved, "CNI")).toBe(false);
    expect(rulesOf(saved, "CNI-1")).toEqual(["-A CNI-1 -d 10.1.0.0/24 -j ACCEPT"]);
    expect(jumpTarget("-A POSTROUTING -s 10.1.0.2/32 -j CNI-1")).toBe("CNI-1");
    expect(jumpTarget("-A X -s 10.1.0.2/32")).toBe("");
    expect(jumpsTo(saved, "CNI-1")).toEqual(["-A POSTROUTING -s 10.1.0.2/32 -j CNI-1"]);
  });

  test("chains are found by what the comments of their rules begin with", () => {
    const comment = (text: string): string => ruleLine(commentWords(text));
    const rules = [
      `-A POSTROUTING ${comment('name: "net" id: "c1"')} -j CNI-1`,
      `-A CNI-2 ${comment(`name: "net" id: "${"c".repeat(300)}"`)} -j ACCEPT`,
      `-A POSTROUTING ${comment('name: "net2" id: "c1"')} -j CNI-3`,
      `-A POSTROUTING ${comment('dnat name: "net" id: "c1"')} -j CNI-4`,
    ];
    expect(chainsWithComment(rules, 'name: "net" id: "', "CNI-")).toEqual(["CNI-1", "CNI-2"]);
  });

  test("a chain is deleted with the jumps to it, and an absent one needs nothing", () => {
    expect(chainDeletion(saved, "CNI-1")).toEqual(["-D POSTROUTING -s 10.1.0.2/32 -j CNI-1", "-F CNI-1", "-X CNI-1"]);
    expect(chainDeletion(saved, "CNI-2")).toEqual([]);
    expect(deletion("-A X -j Y")).toBe("-D X -j Y");
    expect(inFront("-A X -j Y")).toBe("-I X 1 -j Y");
  });
});
