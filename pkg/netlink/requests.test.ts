/**
 * What we send, against what iproute2 6.1 sends for the same wish (captured with `strace -e write=all`). Attributes may
 * stand in any order, so both are put in order first, by a reader that shares nothing with the code under test.
 */
import { expect, test } from "vitest";
import { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { encodeAddress } from "./address.ts";
import { Attributes } from "./attributes.ts";
import { encodeBridgePort } from "./bridge-port.ts";
import { encodeVlans } from "./bridge-vlan.ts";
import { encodeLink, vethData } from "./create-link.ts";
import { encodeFilter } from "./filter.ts";
import { ETH_P_ALL, ETH_P_IPV6 } from "./headers/if-ether.ts";
import { encodeChange, type Link } from "./link.ts";
import { bridgeAttributes, macvlanAttributes, macvlanMode, vlanAttributes } from "./link-attributes.ts";
import { encodeQdisc } from "./qdisc.ts";
import { fifoOptions } from "./qdisc-options.ts";
import { encodeRoute } from "./route-message.ts";
import { encodeRule } from "./rule.ts";
import { handle, trafficParent } from "./traffic.ts";

/** How many bytes stand before a body's attributes, and which of those hold attributes themselves. */
interface Shape {
  readonly header: number;
  /** Text whose terminating NUL is optional, and iproute2 leaves out. */
  readonly text?: number;
  readonly nested?: Readonly<Record<number, Shape>>;
}

const plain: Shape = { header: 0 };
const link: Shape = {
  header: 16,
  nested: { 18: { header: 0, text: 1, nested: { 2: { header: 0, nested: {} } } } },
};
const veth: Shape = {
  header: 16,
  nested: { 18: { header: 0, text: 1, nested: { 2: { header: 0, nested: { 1: { header: 16, nested: {} } } } } } },
};
const port: Shape = { header: 16, nested: { 12: { header: 0, nested: {} } } };
const vlans: Shape = { header: 16, nested: { 26: { header: 0, nested: {} } } };
const address: Shape = { header: 8 };
const route: Shape = { header: 12, nested: { 8: { header: 0, nested: {} } } };
const rule: Shape = { header: 12 };
const queue: Shape = { header: 20, text: 1 };
const mirred: Shape = { header: 0, text: 1, nested: { 2: { header: 0, nested: {} } } };
const filter: Shape = {
  header: 20,
  text: 1,
  nested: { 2: { header: 0, nested: { 7: { header: 0, nested: { 1: mirred } } } } },
};

type Tree = { readonly header: string; readonly attributes: readonly (readonly [number, string | Tree])[] };

function inOrder(bytes: Buffer, shape: Shape): Tree {
  const attributes: [number, string | Tree][] = [];
  let at = shape.header;
  while (at < bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) throw new Error(`an attribute of ${length} bytes in ${bytes.toString("hex")}`);
    const id = bytes.readUInt16LE(at + 2) & 0x3fff;
    const value = bytes.subarray(at + 4, at + length);
    const inner = shape.nested?.[id];
    const text = value.toString("hex").replace(id === shape.text ? /(00)?$/ : /$/, "");
    attributes.push([id, inner?.nested === undefined ? text : inOrder(value, inner)]);
    at += (length + 3) & ~3;
  }
  return {
    header: bytes.subarray(0, shape.header).toString("hex"),
    attributes: attributes.sort((a, b) => a[0] - b[0]),
  };
}

function prefix(text: string): Prefix {
  return Prefix.parse(text) ?? new Prefix(new Address(new Uint8Array(4)), 0);
}

const port4 = { index: 4, kind: "veth" } as Link;
const bridge2 = { index: 2, kind: "bridge" } as Link;
const untagged = (id: number): { id: number; pvid: boolean; untagged: boolean } => ({
  id,
  pvid: false,
  untagged: false,
});

const requests: readonly (readonly [wish: string, shape: Shape, ours: Uint8Array, theirs: string])[] = [
  [
    "ip link add br1 address 02:00:00:00:00:01 mtu 1400 type bridge vlan_filtering 1",
    link,
    encodeLink({
      name: "br1",
      kind: "bridge",
      mac: "02:00:00:00:00:01",
      mtu: 1400,
      data: new Attributes().set(bridgeAttributes.vlanFiltering, true),
    }),
    "000000000000000000000000000000000a0001000200000000010000080004007805000008000300627231001c0012000a00010062726964676500000c0002000500070001000000",
  ],
  [
    "ip link add veth0 mtu 1400 type veth peer name eth0 mtu 1400 address 02:00:00:00:00:05",
    veth,
    encodeLink({
      name: "veth0",
      kind: "veth",
      mtu: 1400,
      data: vethData({ name: "veth0", mtu: 1400, peer: { name: "eth0", mac: "02:00:00:00:00:05" } }),
    }),
    "0000000000000000000000000000000008000400780500000a000300766574683000000044001200080001007665746838000200340001000000000000000000000000000000000008000400780500000a0001000200000000050000090003006574683000000000",
  ],
  [
    "ip link add link br0 name vlan5 type vlan id 5",
    link,
    encodeLink({ name: "vlan5", kind: "vlan", parentIndex: 2, data: new Attributes().set(vlanAttributes.id, 5) }),
    "0000000000000000000000000000000008000500020000000a000300766c616e350000001800120008000100766c616e0c0002000600010005000000",
  ],
  [
    "ip link add link br0 name mv0 type macvlan mode bridge",
    link,
    encodeLink({
      name: "mv0",
      kind: "macvlan",
      parentIndex: 2,
      data: new Attributes().set(macvlanAttributes.mode, macvlanMode.bridge),
    }),
    "000000000000000000000000000000000800050002000000080003006d7630001c0012000b0001006d6163766c616e000c0002000800010004000000",
  ],
  [
    "ip link add link lo name eth0 index 4711 address 02:00:00:00:00:09 mtu 1400 type macvlan mode private",
    link,
    encodeLink({
      name: "eth0",
      kind: "macvlan",
      parentIndex: 1,
      index: 4711,
      mac: "02:00:00:00:00:09",
      mtu: 1400,
      data: new Attributes().set(macvlanAttributes.mode, macvlanMode.private),
    }),
    "000000006712000000000000000000000a0001000200000000090000080004007805000008000500010000000900030065746830000000001c0012000b0001006d6163766c616e000c0002000800010001000000",
  ],
  [
    "ip link set veth0 up master br0 alias hello",
    link,
    encodeChange(4, { up: true, masterIndex: 2, alias: "hello" }),
    "0000000004000000010000000100000008000a00020000000900140068656c6c6f000000",
  ],
  [
    "ip link set veth0 promisc on allmulticast off mtu 1300 txqueuelen 77",
    link,
    encodeChange(4, { promiscuous: true, allMulticast: false, mtu: 1300, txQueueLength: 77 }),
    "00000000040000000001000000030000080004001405000008000d004d000000",
  ],
  [
    "bridge link set dev veth0 hairpin on isolated off",
    port,
    encodeBridgePort(4, { hairpin: true, isolated: false }),
    "0700000004000000000000000000000014000c8005000400010000000500210000000000",
  ],
  [
    "bridge vlan add dev veth0 vid 100 pvid untagged",
    vlans,
    encodeVlans(port4, [{ id: 100, pvid: true, untagged: true }]),
    "070000000400000000000000000000000c001a000800020006006400",
  ],
  [
    "bridge vlan add dev veth0 vid 200-300",
    vlans,
    encodeVlans(
      port4,
      Array.from({ length: 101 }, (_, i) => untagged(300 - i)),
    ),
    "0700000004000000000000000000000014001a00080002000800c8000800020010002c01",
  ],
  [
    "bridge vlan del dev veth0 vid 1",
    vlans,
    encodeVlans(port4, [untagged(1)]),
    "070000000400000000000000000000000c001a000800020000000100",
  ],
  [
    "bridge vlan add dev br0 vid 5 self",
    vlans,
    encodeVlans(bridge2, [untagged(5)]),
    "0700000002000000000000000000000014001a0006000000020000000800020000000500",
  ],
  [
    "ip addr add 10.1.2.1/24 brd + dev br0",
    address,
    encodeAddress(2, prefix("10.1.2.1/24"), {}),
    "0218000002000000080002000a010201080001000a010201080004000a0102ff",
  ],
  [
    "ip -6 addr add fd00::1/64 dev br0",
    address,
    encodeAddress(2, prefix("fd00::1/64"), {}),
    "0a4000000200000014000200fd00000000000000000000000000000114000100fd000000000000000000000000000001",
  ],
  [
    "ip addr add 192.0.2.1 peer 192.0.2.2/32 scope link dev br0",
    address,
    encodeAddress(2, prefix("192.0.2.1/32"), { peer: prefix("192.0.2.2/32").address, scope: 253 }),
    "022000fd0200000008000200c000020108000100c0000202",
  ],
  [
    "ip route add 10.9.0.0/16 via 10.1.2.9 dev br0 mtu 1300 advmss 1200 table 1000 metric 7 src 10.1.2.1",
    route,
    encodeRoute(
      {
        destination: prefix("10.9.0.0/16"),
        gateway: Address.parse("10.1.2.9"),
        linkIndex: 2,
        mtu: 1300,
        advmss: 1200,
        table: 1000,
        priority: 7,
        source: Address.parse("10.1.2.1"),
      },
      0,
    ),
    "021000000003000100000000080001000a090000080005000a01020908000f00e80300000800060007000000080007000a010201080004000200000014000800080002001405000008000800b0040000",
  ],
  [
    "ip -6 route add default via fd00::9 dev br0 onlink",
    route,
    encodeRoute({ destination: prefix("::/0"), gateway: Address.parse("fd00::9"), linkIndex: 2, onLink: true }, 0),
    "0a000000fe0300010400000014000500fd0000000000000000000000000000090800040002000000",
  ],
  [
    "ip rule add from 10.3.0.0/16 to 10.4.0.0/16 iif br0 oif lo fwmark 0x1/0xff table 1000 priority 99",
    rule,
    encodeRule({
      family: 4,
      table: 1000,
      priority: 99,
      source: prefix("10.3.0.0/16"),
      destination: prefix("10.4.0.0/16"),
      inputName: "br0",
      outputName: "lo",
      mark: 1,
      markMask: 0xff,
    }),
    "021010000000000100000000080002000a030000080001000a0400000800030062723000070011006c6f000008000a000100000008001000ff00000008000f00e80300000800060063000000",
  ],
  [
    "tc qdisc add dev v0 ingress",
    queue,
    encodeQdisc(3, { kind: "ingress", handle: handle(0xffff), parent: trafficParent.ingress }),
    "00000000030000000000fffff1ffffff000000000c000100696e677265737300",
  ],
  [
    "tc qdisc add dev v1 parent 1:1 handle 2: bfifo limit 56250",
    queue,
    encodeQdisc(2, { kind: "bfifo", handle: handle(2), parent: handle(1, 1), options: fifoOptions(56250) }),
    "00000000020000000000020001000100000000000a000100626669666f00000008000200badb0000",
  ],
  [
    "tc filter add dev v0 parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ifb0",
    filter,
    encodeFilter(3, {
      ...{ parent: handle(0xffff), priority: 1, protocol: ETH_P_ALL, keys: [], classId: handle(1, 1) },
      redirectTo: 4,
    }),
    "0000000003000000000000000000ffff00030100080001007533320068000200080001000100010038000700340001000b0001006d69727265640000240002802000020000000000000000000400000000000000000000000100000004000000240005000100010000000000000000000000000000000000000000000000000000000000",
  ],
  [
    "tc filter add dev v1 parent 1: protocol ipv6 prio 2 u32 match ip6 dst 2001:db8:1::/36 flowid 1:1",
    filter,
    encodeFilter(2, {
      ...{ parent: handle(1), priority: 2, protocol: ETH_P_IPV6, classId: handle(1, 1), redirectTo: undefined },
      keys: [
        { offset: 24, value: 0x20010db8, mask: 0xffffffff },
        { offset: 28, value: 0, mask: 0xf0000000 },
      ],
    }),
    "0000000002000000000000000000010086dd020008000100753332004000020008000100010001003400050001000200000000000000000000000000ffffffff20010db81800000000000000f0000000000000001c00000000000000",
  ],
];

for (const [wish, shape, ours, theirs] of requests) {
  test(`the request is that of: ${wish}`, () => {
    expect(inOrder(Buffer.from(ours), shape)).toEqual(inOrder(Buffer.from(theirs, "hex"), shape));
  });
}

test("a subnet of two addresses has no broadcast address", () => {
  const tree = inOrder(Buffer.from(encodeAddress(2, prefix("10.0.0.1/31"), {})), address);
  expect(tree.attributes.map((each) => each[0])).toEqual([1, 2]);
});

test("an IPv6 address without duplicate detection says so, an IPv4 address never", () => {
  const flagsOf = (text: string): string | undefined => {
    const tree = inOrder(Buffer.from(encodeAddress(2, prefix(text), { noDad: true })), address);
    return tree.attributes.find((each) => each[0] === 8)?.[1].toString();
  };
  expect(flagsOf("fd00::1/64")).toBe("02000000");
  expect(flagsOf("10.0.0.1/24")).toBeUndefined();
});

test("a gateway of the other family is sent as RTA_VIA", () => {
  const body = encodeRoute({ destination: prefix("0.0.0.0/0"), gateway: Address.parse("fd00::9"), linkIndex: 2 }, 0);
  expect(inOrder(Buffer.from(body), route).attributes).toEqual([
    [4, "02000000"],
    [18, "0a00fd000000000000000000000000000009"],
  ]);
});

test("VLANs become ranges where they follow each other with equal flags, and the port's own stands alone", () => {
  const body = encodeVlans(port4, [
    { id: 4, pvid: true, untagged: true },
    { id: 3, pvid: false, untagged: true },
    { id: 2, pvid: false, untagged: true },
    { id: 5, pvid: false, untagged: false },
    { id: 7, pvid: false, untagged: false },
  ]);
  const found = inOrder(Buffer.from(body), vlans).attributes.at(0)?.[1] as Tree;
  expect(found.attributes.map((each) => each[1])).toEqual(["0c000200", "14000300", "06000400", "00000500", "00000700"]);
});

test("the reader that orders attributes tells messages apart", () => {
  expect(inOrder(Buffer.from("0500010001000000", "hex"), plain)).not.toEqual(
    inOrder(Buffer.from("0500010002000000", "hex"), plain),
  );
});
