import { expect, test } from "vitest";
import { toHex } from "../codec/hex.ts";
import { Address } from "../ip/address.ts";
import { Attributes } from "../netlink/attributes.ts";
import {
  addressDatum,
  concatenation,
  etherType,
  interfaceDatum,
  interfaceType,
  ipv4Type,
  markDatum,
  ownerDatum,
  portDatum,
  portType,
  protocolDatum,
  protocolType,
  verdictType,
} from "./datum.ts";
import { appendElement, elementText, mapping } from "./element.ts";
import { setAttributes } from "./messages.ts";
import { encodeSet, mapOf, type NftSet, setOf, setText } from "./set.ts";
import type { Table } from "./table.ts";

const table: Table = { family: "inet", name: "t" };

/** What nft 1.0.6 sends for the same declarations: flags, key type and length, data type and length. */
const declarations: readonly (readonly [string, readonly (number | undefined)[], string, NftSet])[] = [
  ["set a { type ipv4_addr; }", [0, 7, 4, undefined, undefined], "000402000000", setOf("a", [ipv4Type])],
  ["set b { type ifname; }", [0, 41, 16, undefined, undefined], "000401000000", setOf("b", [interfaceType])],
  [
    "map d { type inet_proto . inet_service : ipv4_addr . inet_service; }",
    [8, 0x30d, 8, 0x1cd, 8],
    "000400000000010400000000",
    mapOf("d", [protocolType, portType], [ipv4Type, portType]),
  ],
  [
    "set e { type ether_addr . ifname; }",
    [0, 0x269, 24, undefined, undefined],
    "000400000000",
    setOf("e", [etherType, interfaceType]),
  ],
  [
    "map f { type ipv4_addr : verdict; }",
    [8, 7, 4, 0xffffff00, 0],
    "000402000000010400000000",
    mapOf("f", [ipv4Type], [verdictType]),
  ],
];

test.each(declarations)("%s is declared as nft does", (text, numbers, userdata, set) => {
  const sent = Attributes.decode(encodeSet(table, set, 1).encode(), "set");
  expect(setText(set)).toBe(text);
  const rows = [
    setAttributes.flags,
    setAttributes.keyType,
    setAttributes.keyLength,
    setAttributes.dataType,
    setAttributes.dataLength,
  ];
  expect(rows.map((row) => sent.get(row))).toEqual(numbers);
  expect(toHex(sent.get(setAttributes.userdata) ?? new Uint8Array(0))).toBe(userdata);
});

test("the members of a concatenation are padded to whole registers", () => {
  const key = concatenation([protocolDatum(6), portDatum(80)]);
  expect(key.text).toBe("tcp . 80");
  expect(toHex(key.bytes)).toBe("0600000000500000");
  expect(toHex(concatenation([portDatum(80)]).bytes)).toBe("0050");
  expect(toHex(concatenation([markDatum(5), interfaceDatum("eth0")]).bytes)).toBe(
    `05000000${"65746830"}${"00".repeat(12)}`,
  );
});

test("an owner's key is its two groups of digits", () => {
  const owner = ownerDatum("917148ec47923f2e-f4d01f2ef4b92245");
  expect(owner.text).toBe("917148ec47923f2e-f4d01f2ef4b92245");
  expect(toHex(owner.bytes)).toBe("917148ec47923f2ef4d01f2ef4b92245");
});

test("an interface's name has at most 15 bytes, and a pattern is not padded", () => {
  expect(() => interfaceDatum("a234567890123456")).toThrow("too long");
  expect(toHex(interfaceDatum("eth*").bytes)).toBe("657468");
});

test("a mapping is sent as nft sends it", () => {
  const to = [addressDatum(Address.parse("10.1.1.1") ?? new Address(new Uint8Array(4))), portDatum(8080)];
  const made = mapping([protocolDatum(6), portDatum(80)], to, { comment: "abc" });
  const list = new Attributes();
  appendElement(list, made);
  expect(elementText(made)).toBe('tcp . 80 comment "abc" : 10.1.1.1 . 8080');
  expect(toHex(list.encode())).toBe(
    "30000180" +
      "100001800c0001000600000000500000" +
      "100002800c0001000a0101011f900000" +
      "0a00060000046162630000" +
      "00",
  );
});
