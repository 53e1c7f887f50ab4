import { describe, expect, test } from "vitest";
import { CniError } from "../../spec/errors.ts";
import { parseConditions } from "./conditions.ts";

const texts = (...words: string[]): string[] =>
  parseConditions(words, "conditionsV4").map((list) => list.map((each) => each.text).join(" "));

describe("parseConditions()", () => {
  const rows: readonly (readonly [words: string, rules: readonly string[]])[] = [
    ["", [""]],
    ["ip saddr 10.0.0.0/8", ["ip saddr 10.0.0.0/8"]],
    ["ip daddr != 192.0.2.1", ["ip daddr != 192.0.2.1"]],
    ["ip saddr 10.0.0.1-10.0.0.9", ["ip saddr 10.0.0.1-10.0.0.9"]],
    ["ip6 saddr fd00::/8 ip6 daddr fd01::1", ["ip6 saddr fd00::/8 ip6 daddr fd01::1"]],
    ["tcp sport 1000-2000", ["tcp sport 1000-2000"]],
    ["udp dport != 53", ["udp dport != 53"]],
    ["sctp sport 9 th dport 80", ["sctp sport 9 th dport 80"]],
    ['iifname "eth0"', ['iifname "eth0"']],
    ["meta iifname != eth*", ['iifname != "eth*"']],
    ["oifname == lo", ['oifname "lo"']],
    ["meta mark 0x10", ["meta mark 0x00000010"]],
    ["mark & 0xff != 1", ["meta mark & 0x000000ff != 0x00000001"]],
    ["ct state new,established", ["ct state new,established"]],
    ["ct state != { invalid }", ["ct state != invalid"]],
    ["ct state new ip saddr 10.0.0.1", ["ct state new ip saddr 10.0.0.1"]],
    ["tcp sport {1, 2}", ["tcp sport 1", "tcp sport 2"]],
    ["tcp sport != { 1, 2-3, }", ["tcp sport != 1 tcp sport != 2-3"]],
    [
      "iifname {a,b} tcp sport { 1,2 }",
      ['iifname "a" tcp sport 1', 'iifname "a" tcp sport 2', 'iifname "b" tcp sport 1', 'iifname "b" tcp sport 2'],
    ],
  ];

  test.each(rows)("%s", (words, rules) => {
    expect(texts(words)).toEqual(rules);
    expect(texts(...words.split(" ")), "however the words are split").toEqual(rules);
  });

  const bad: readonly (readonly [words: string, token: RegExp])[] = [
    ["iif eth0", /at "iif"/],
    ["ip protocol tcp", /at "protocol"/],
    ["ip saddr fd00::1", /at "fd00::1"/],
    ["ip saddr 10.0.0.0/33", /at "10.0.0.0\/33"/],
    ["tcp dport http", /at "http"/],
    ["tcp dport 65536", /at "65536"/],
    ["tcp dport { 1 2 }", /at "2"/],
    ["tcp dport", /ends too early/],
    ["tcp dport { 1,", /ends too early/],
    ["iifname abcdefghijklmnop", /at "abcdefghijklmnop"/],
    ["ct state old", /at "old"/],
    ["mark 0x1ffffffff", /at "0x1ffffffff"/],
  ];

  test.each(bad)("%s is refused by name", (words, message) => {
    let caught: unknown;
    try {
      texts(words);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CniError);
    expect((caught as CniError).code).toBe(7);
    expect((caught as CniError).message).toMatch(message);
    expect((caught as CniError).details).toMatch(/^supported: /);
  });
});
