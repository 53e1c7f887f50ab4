import { expect, test } from "vitest";
import { raw } from "../codec/codec.ts";
import { toHex } from "../codec/hex.ts";
import { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { Attributes, attribute } from "../netlink/attributes.ts";
import { etherDatum, interfaceDatum, portDatum, protocolDatum } from "./datum.ts";
import { ctState, differs, equals, fibType, inSet, notBetween, outside, within } from "./match.ts";
import { expressionAttributes, listAttributes } from "./messages.ts";
import { masquerade, natByMap, natTo } from "./nat.ts";
import { encodeExpressions, type Rule, rule } from "./rule.ts";
import {
  destinationPort,
  etherSource,
  inputInterface,
  ip4Destination,
  ip4Source,
  ip6Destination,
  tcpDestinationPort,
  transportProtocol,
} from "./selector.ts";
import { accept, decideByMap, drop, jump, returnToCaller, setMark } from "./statement.ts";
import type { TableFamily } from "./table.ts";

function address(text: string): Address {
  return Address.parse(text) ?? new Address(new Uint8Array(4));
}

function prefix(text: string): Prefix {
  return Prefix.parse(text) ?? Prefix.host(address("0.0.0.0"));
}

const mac = etherDatum(new Uint8Array([2, 66, 0, 0, 0, 1]));

/**
 * Family, text and kernel expressions (name: attributes in hexadecimal). test/kernel/nftables.test.ts proves that the
 * kernel takes these bytes and that nft prints these texts for them.
 */
const goldens: readonly (readonly [TableFamily, string, readonly string[], Rule])[] = [
  [
    "inet",
    "fib daddr type local",
    [
      "fib 080001000000000108000200000000030800030000000002",
      "cmp 080001000000000108000200000000000c0003800800010002000000",
    ],
    rule([fibType("daddr", "local")]),
  ],
  [
    "inet",
    "ip saddr @hosts ip daddr != 10.0.0.0/24 masquerade",
    [
      "meta 0800010000000001080002000000000f",
      "cmp 080001000000000108000200000000000c0003800500010002000000",
      "payload 08000100000000010800020000000001080003000000000c0800040000000004",
      "lookup 0a000100686f7374730000000800020000000001",
      "payload 0800010000000001080002000000000108000300000000100800040000000003",
      "cmp 080001000000000108000200000000010c000380070001000a000000",
      "masq",
    ],
    rule([inSet([ip4Source], "hosts"), outside(ip4Destination, prefix("10.0.0.0/24")), masquerade()]),
  ],
  [
    "ip",
    "ip saddr @hosts ip daddr != 10.0.0.0/24 masquerade",
    [
      "payload 08000100000000010800020000000001080003000000000c0800040000000004",
      "lookup 0a000100686f7374730000000800020000000001",
      "payload 0800010000000001080002000000000108000300000000100800040000000003",
      "cmp 080001000000000108000200000000010c000380070001000a000000",
      "masq",
    ],
    rule([inSet([ip4Source], "hosts"), outside(ip4Destination, prefix("10.0.0.0/24")), masquerade()]),
  ],
  [
    "ip6",
    "ip6 daddr fd00::/61 return",
    [
      "payload 0800010000000001080002000000000108000300000000180800040000000010",
      "bitwise 0800010000000001080002000000000108000300000000101800048014000100fffffffffffffff80000000000000000180005801400010000000000000000000000000000000000",
      "cmp 080001000000000108000200000000001800038014000100fd000000000000000000000000000000",
      "immediate 0800010000000000100002800c00028008000100fffffffb",
    ],
    rule([within(ip6Destination, prefix("fd00::/61")), returnToCaller()]),
  ],
  [
    "inet",
    "dnat ip to meta l4proto . th dport map @ports",
    [
      "meta 08000100000000010800020000000010",
      "payload 0800010000000009080002000000000208000300000000020800040000000002",
      "lookup 0a000100706f72747300000008000200000000010800030000000001",
      "nat 0800010000000001080002000000000208000300000000010800050000000009",
    ],
    rule([natByMap("dnat", 4, [transportProtocol, destinationPort], "ports")]),
  ],
  [
    "ip6",
    "dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports",
    [
      "payload 0800010000000001080002000000000108000300000000180800040000000010",
      "meta 080001000000000c0800020000000010",
      "payload 080001000000000d080002000000000208000300000000020800040000000002",
      "lookup 0a000100706f72747300000008000200000000010800030000000001",
      "nat 0800010000000001080002000000000a0800030000000001080005000000000c",
    ],
    rule([natByMap("dnat", 6, [ip6Destination, transportProtocol, destinationPort], "ports")]),
  ],
  [
    "ip",
    "tcp dport 80 dnat ip to 10.1.1.2:8080",
    [
      "meta 08000100000000010800020000000010",
      "cmp 080001000000000108000200000000000c0003800500010006000000",
      "payload 0800010000000001080002000000000208000300000000020800040000000002",
      "cmp 080001000000000108000200000000000c0003800600010000500000",
      "immediate 08000100000000010c000280080001000a010102",
      "immediate 080001000000000c0c000280060001001f900000",
      "nat 080001000000000108000200000000020800030000000001080005000000000c",
    ],
    rule([equals(tcpDestinationPort, portDatum(80)), natTo("dnat", address("10.1.1.2"), 8080)]),
  ],
  [
    "inet",
    "ct state established,related accept",
    [
      "ct 08000100000000010800020000000000",
      "bitwise 0800010000000001080002000000000108000300000000040c00048008000100060000000c0005800800010000000000",
      "cmp 080001000000000108000200000000010c0003800800010000000000",
      "immediate 0800010000000000100002800c0002800800010000000001",
    ],
    rule([ctState(["established", "related"]), accept()]),
  ],
  [
    "inet",
    "meta mark set meta mark | 0x00002000",
    [
      "meta 08000100000000010800020000000003",
      "bitwise 0800010000000001080002000000000108000300000000040c00048008000100ffdfffff0c0005800800010000200000",
      "meta 08000200000000030800030000000001",
    ],
    rule([setMark(0x2000, 0x2000)]),
  ],
  [
    "bridge",
    'iifname "veth0" ether saddr != 02:42:00:00:00:01 drop',
    [
      "meta 08000100000000010800020000000006",
      "cmp 08000100000000010800020000000000180003801400010076657468300000000000000000000000",
      "payload 0800010000000001080002000000000008000300000000060800040000000006",
      "cmp 08000100000000010800020000000001100003800a0001000242000000010000",
      "immediate 0800010000000000100002800c0002800800010000000000",
    ],
    rule([equals(inputInterface, interfaceDatum("veth0")), differs(etherSource, mac), drop()]),
  ],
  [
    "inet",
    "tcp dport != 1000-2000 jump inner",
    [
      "meta 08000100000000010800020000000010",
      "cmp 080001000000000108000200000000000c0003800500010006000000",
      "payload 0800010000000001080002000000000208000300000000020800040000000002",
      "range 080001000000000108000200000000010c0003800600010003e800000c0004800600010007d00000",
      "immediate 08000100000000001c0002801800028008000100fffffffd0a000200696e6e6572000000",
    ],
    rule([notBetween(tcpDestinationPort, portDatum(1000), portDatum(2000)), jump("inner")]),
  ],
  [
    "bridge",
    "iifname vmap @deciders",
    [
      "meta 08000100000000010800020000000006",
      "lookup 0d00010064656369646572730000000008000200000000010800030000000000",
    ],
    rule([decideByMap([inputInterface], "deciders")]),
  ],
];

/** Each kernel expression as its name and its attributes. */
function steps(source: Rule, family: TableFamily): string[] {
  const list = Attributes.decode(encodeExpressions(source, family).encode(), "expressions");
  return list.all(listAttributes.element).map((step: Attributes): string => {
    const name = step.get(expressionAttributes.name) ?? "";
    return `${name} ${toHex(step.get(expressionData) ?? new Uint8Array(0))}`.trim();
  });
}

const expressionData = attribute(2, raw);

test.each(goldens)("in %s tables %s is encoded as recorded", (family, text, expected, made) => {
  expect(made.text).toBe(text);
  expect(steps(made, family)).toEqual(expected);
});

test("a need is established once, and not at all where the rule or the table says it already", () => {
  const port = equals(tcpDestinationPort, portDatum(80));
  expect(steps(rule([port, port]), "inet").length).toBe(2 + 2 + 2);
  expect(steps(rule([equals(transportProtocol, protocolDatum(6)), port]), "inet").length).toBe(2 + 2);
  const source = inSet([ip4Source], "hosts");
  expect(steps(rule([source]), "ip").length).toBe(2);
  expect(steps(rule([source]), "inet").length).toBe(2 + 2);
});

test("a comment follows the expressions", () => {
  expect(rule([accept()], "mine").text).toBe('accept comment "mine"');
});
