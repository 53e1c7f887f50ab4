/** What we read, from answers that Linux 6.18 gave (the links' counters and per-family settings cut out). */
import { expect, test } from "vitest";
import { decodeAddress } from "./address.ts";
import { decodeVlans } from "./bridge-vlan.ts";
import { decodeLink, decodeLinkMessage } from "./link.ts";
import { bridgePortAttributes } from "./link-attributes.ts";
import { decodeNeighbour } from "./neighbour.ts";
import { decodeRoute } from "./route-message.ts";
import { decodeRule } from "./rule.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

const linuxNewlinkVeth =
  "000001000300000003100000000000000a000300766574683000000008000d00e80300000500100003000000080004007805" +
  "000008001b000000000008001e000100000008000a000200000005002100000000000a00140068656c6c6f0000000a000100" +
  "02000000000400000a000200ffffffffffff0000480012000900010076657468000000000b00040062726964676500002c00" +
  "0500050001000000000005000400010000000500080001000000050009000100000005002100000000000800250000000000" +
  "080005000200000024000e00000000000000000000000000000000000000000000000000000000000000000004003e800400" +
  "4180";

test("a veth that is a bridge's port is read in full", () => {
  const link = decodeLink(bytes(linuxNewlinkVeth));
  expect(link).toMatchObject({
    index: 3,
    name: "veth0",
    mac: "02:00:00:00:00:04",
    mtu: 1400,
    up: true,
    promiscuous: false,
    operationalState: "lower-layer-down",
    kind: "veth",
    masterIndex: 2,
    linkIndex: 2,
    linkNamespaceId: 0,
    alias: "hello",
    txQueueLength: 1000,
    kindData: undefined,
  });
  expect(link.portData?.get(bridgePortAttributes.hairpin)).toBe(true);
  expect(link.portData?.get(bridgePortAttributes.isolated)).toBe(false);
});

test("a message about a link that went is no link", () => {
  expect(decodeLinkMessage({ type: 17, body: bytes(linuxNewlinkVeth) })).toBeUndefined();
});

test("an IPv4 address is read with its broadcast address", () => {
  const found = decodeAddress({
    type: 20,
    body: bytes(
      "0218800002000000080001000a010201080002000a010201080004000a0102ff0800030062723000" +
        "080008008000000014000600ffffffffffffffff0c4b05000c4b0500",
    ),
  });
  expect(found?.prefix.toString()).toBe("10.1.2.1/24");
  expect(found).toMatchObject({ linkIndex: 2, peer: undefined, scope: 0, tentative: false, permanent: true });
  expect(found?.broadcast?.toString()).toBe("10.1.2.255");
});

test("an IPv6 address that is being probed is tentative", () => {
  const found = decodeAddress({
    type: 20,
    body: bytes("0a40c0000200000014000100fd00000000000000000000000000000108000800c0000000"),
  });
  expect(found?.prefix.toString()).toBe("fd00::1/64");
  expect(found).toMatchObject({ tentative: true, dadFailed: false, permanent: true });
});

test("a route is read with its table, metrics and gateway", () => {
  const route = decodeRoute({
    type: 24,
    body: bytes(
      "02100000fc0300011000000008000f00e8030000080001000a0900000c0008000800020014050000080005000a0102090800040002000000",
    ),
  });
  expect(route?.destination.toString()).toBe("10.9.0.0/16");
  expect(route?.gateway?.toString()).toBe("10.1.2.9");
  expect(route).toMatchObject({ linkIndex: 2, table: 1000, mtu: 1300, advmss: 0, protocol: 3, scope: 0, type: 1 });
});

const linuxMultipath =
  "0a400000fe0300010000000008000f00fe00000014000100fd09000000000000000000000000000008000600000400003c0009001c0010000200000014000500" +
  "fd0000000000000000000000000000091c0010020200000014000500fd000000000000000000000000000008";

test("a route of several ways is read with all of them", () => {
  const route = decodeRoute({ type: 24, body: bytes(linuxMultipath) });
  expect(route?.nexthops.map((hop) => [hop.gateway?.toString(), hop.linkIndex, hop.weight])).toEqual([
    ["fd00::9", 2, 1],
    ["fd00::8", 2, 3],
  ]);
  expect(route).toMatchObject({ gateway: undefined, linkIndex: 0, priority: 1024 });
});

test("a way whose length is impossible is told by its path", () => {
  const wrong = linuxMultipath.replace("1c001000", "1c011000");
  expect(() => decodeRoute({ type: 24, body: bytes(wrong) })).toThrow(
    "route/multipath: next hop at byte 0 claims 284 bytes, 56 are left",
  );
});

test("a rule is read with all that it matches", () => {
  const rule = decodeRule({
    type: 32,
    body: bytes(
      "02001000fc0000010000000008000f00e803000008000e00ffffffff0500150000000000080003006272300008000600630000000" +
        "8000a000100000008001000ff000000080002000a030000",
    ),
  });
  expect(rule).toMatchObject({ family: 4, table: 1000, priority: 99, inputName: "br0", outputName: "", mark: 1 });
  expect(rule).toMatchObject({ markMask: 255, action: 1, inverted: false, destination: undefined });
  expect(rule?.source?.toString()).toBe("10.3.0.0/16");
});

test("a rule of multicast routing (family 128) is left out", () => {
  const body = bytes("80000000fd0000010000000008000f00fd00000008000600ff7f0000");
  expect(decodeRule({ type: 32, body })).toBeUndefined();
});

test("a neighbour is read, also before its hardware address is known", () => {
  const head = "0200000002000000";
  const known = decodeNeighbour({ type: 28, body: bytes(`${head}80000001080001000a0102070a0002000200000000070000`) });
  expect(known).toMatchObject({ linkIndex: 2, mac: "02:00:00:00:00:07", state: 0x80 });
  const unknown = decodeNeighbour({ type: 28, body: bytes(`${head}01000001080001000a010208`) });
  expect(unknown?.address.toString()).toBe("10.1.2.8");
  expect(unknown).toMatchObject({ mac: "", state: 1 });
});

test("ranges of VLANs are read one by one", () => {
  const vlan = (flags: string, id: string): string => `08000200${flags}00${id}`;
  const options = `${vlan("06", "0100")}${vlan("08", "0a00")}${vlan("10", "0d00")}${vlan("04", "0e00")}`;
  expect(decodeVlans(bytes(`07000000040000000000000000000000${"24001a00"}${options}`))).toEqual([
    { id: 1, pvid: true, untagged: true },
    { id: 10, pvid: false, untagged: false },
    { id: 11, pvid: false, untagged: false },
    { id: 12, pvid: false, untagged: false },
    { id: 13, pvid: false, untagged: false },
    { id: 14, pvid: false, untagged: true },
  ]);
});

test("a link without VLANs has none", () => {
  expect(decodeVlans(bytes("07000000040000000000000000000000"))).toEqual([]);
});

for (const [what, hex, path] of [
  ["an MTU of two bytes", "0600040078050000", "link/mtu: need 4 bytes, have 2"],
  ["an attribute longer than the message", "0a000400", "link: attribute at byte 0 claims 10 bytes, 4 are left"],
  ["an attribute shorter than its header", "03000400", "link: attribute at byte 0 claims 3 bytes, 4 are left"],
  ["a nested attribute that is cut", "0800120006000100", "link/info: attribute at byte 0 claims 6 bytes, 4 are left"],
] as const) {
  test(`${what} is told by its path`, () => {
    expect(() => decodeLink(bytes(`00000100030000000310000000000000${hex}`))).toThrow(path);
  });
}

test("a message without even its header throws instead of reading on", () => {
  expect(() => decodeLink(bytes("000001"))).toThrow(RangeError);
  expect(() => decodeRoute({ type: 24, body: bytes("0210") })).toThrow(RangeError);
});
