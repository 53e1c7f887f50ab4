/** The rules as nft prints them, and the record that an owner carries; test/firewall shows what they do to packets. */
import { expect, test } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { chainText } from "../../pkg/nftables/chain.ts";
import { elementText } from "../../pkg/nftables/element.ts";
import { setText } from "../../pkg/nftables/set.ts";
import type { StandingChain } from "../../pkg/nftables/standing-chain.ts";
import { addressElement, decodeRecord, encodeRecord, togetherElement } from "./entries.ts";
import { apartSet, bridgeChain, markingChain, standingChains, standingSets } from "./rules.ts";

function lines(chains: readonly StandingChain[]): string[] {
  return chains.flatMap(({ chain, rules }) => [chainText(chain), ...rules.map((rule) => `  ${rule.text}`)]);
}

function address(text: string): Address {
  return Address.parse(text) ?? new Address(new Uint8Array(4));
}

test("the chains that stand", () => {
  expect(lines(standingChains())).toEqual([
    "chain isolation",
    "  iifname . oifname @together return",
    "  iifname @bridges oifname @bridges drop",
    "chain forward { type filter hook forward priority -5; policy accept; }",
    "  jump admin",
    "  jump isolation",
    "  ip saddr vmap @accepted4",
    "  ct state established,related ip daddr vmap @accepted4",
    "  ip6 saddr vmap @accepted6",
    "  ct state established,related ip6 daddr vmap @accepted6",
  ]);
});

test("the chain between ports of one bridge", () => {
  expect(lines([bridgeChain()])).toEqual([
    "chain forward { type filter hook forward priority -200; policy accept; }",
    "  iifname @apart oifname @apart meta protocol ip drop",
    "  iifname @apart oifname @apart meta protocol ip6 drop",
  ]);
});

test("the chain that marks", () => {
  expect(lines([markingChain(0x10000)])).toEqual([
    "chain accept_with_65536",
    "  meta mark set meta mark | 0x00010000 accept",
  ]);
});

test("sets, and what is in them", () => {
  expect([...standingSets(), apartSet].map((set) => setText(set))).toEqual([
    "set owners { type ipv6_addr; }",
    "set bridges { type ifname; }",
    "set together { type ifname . ifname; }",
    "map accepted4 { type ipv4_addr : verdict; }",
    "map accepted6 { type ipv6_addr : verdict; }",
    "set apart { type ifname; }",
  ]);
  expect(elementText(addressElement(address("10.1.0.2"), "owner", 0).element)).toBe(
    '10.1.0.2 comment "owner" : accept',
  );
  expect(elementText(addressElement(address("fd00::2"), "o", 1).element)).toBe(
    'fd00::2 comment "o" : goto accept_with_1',
  );
  expect(elementText(togetherElement("cni0"))).toBe('"cni0" . "cni0"');
});

test.each([
  ["", "", "", []],
  ["cni0", "veth1", "", ["10.1.0.2"]],
  ["", "", "trusted", ["10.1.0.2", "fd00::2"]],
  ["a-long-bridge-0", "a-port-of-15-by", "a-long-zone-of-17", ["10.1.0.2", "10.2.0.2", "fd00::2", "fd01::2"]],
])("a record of %j, %j, %j, %j is read as it was written", (bridge, port, zone, texts) => {
  const record = decodeRecord(encodeRecord([bridge, port, zone], texts.map(address)));
  expect({ ...record, addresses: record.addresses.map((each) => each.toString()) }).toEqual({
    bridge,
    port,
    zone,
    addresses: texts,
    isWhole: true,
  });
});

test("a record of too many addresses says so", () => {
  const many = Array.from({ length: 20 }, (_, index) => address(`fd00::${index + 1}`));
  const bytes = encodeRecord(["cni0", "veth1", "trusted"], many);
  expect(bytes.length).toBeLessThanOrEqual(121);
  const record = decodeRecord(bytes);
  expect(record.isWhole).toBe(false);
  expect(record.addresses.length).toBeGreaterThan(3);
  expect(decodeRecord(undefined)).toEqual({ bridge: "", port: "", zone: "", addresses: [], isWhole: false });
});
