/** Several addresses and routes of one family from IPAM: all of them on the interface, and in the oldest versions none. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { addressesOn, bridgeNetwork, dual, expectAnswer, fixed, ptpNetwork } from "../helpers/interface-network.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, type Snapshot, snapshot } from "../helpers/snapshot.ts";

const subnets = ["10.22.0.0/24", "10.23.0.0/24", "2001:db8:22::/64", "2001:db8:23::/64"];
const gateways = ["10.22.0.1", "10.23.0.1", "2001:db8:22::1", "2001:db8:23::1"];
const pairs = [
  { family: "IPv4", sets: subnets.slice(0, 2), addresses: ["10.22.0.5/24", "10.23.0.5/24"] },
  { family: "IPv6", sets: subnets.slice(2), addresses: ["2001:db8:22::5/64", "2001:db8:23::5/64"] },
];
const routes = [
  { dst: "0.0.0.0/0", gw: "10.23.0.1" },
  { dst: "::/0", gw: "2001:db8:23::1" },
];

/** host-local with a range set for each subnet. */
function oneFromEach(from: readonly string[]): object {
  return { type: "host-local", ranges: from.map((subnet) => [{ subnet }]) };
}

/** static with the second half of the subnets' addresses. */
const named = fixed(
  ...pairs.flatMap((pair) => pair.addresses).map((address, index) => ({ address, gateway: gateways[index] ?? "" })),
);

const networks = [
  { what: "bridge", networkOf: bridgeNetwork, config: { isGateway: true, ipMasq: true } },
  { what: "ptp", networkOf: ptpNetwork, config: { ipMasq: true } },
];

/** The state of a node and of a container's namespace. */
async function look(node: TestNode, { sandbox }: TestAttachment): Promise<Snapshot> {
  return snapshot(node, { sandboxes: [sandbox] });
}

/** A container to come, on a node that has what the first one leaves for all that follow. */
async function usedBefore(network: TestNetwork): Promise<TestAttachment> {
  const first = await network.container("first");
  await network.add(first);
  await network.del(first);
  return network.container("container");
}

/** IPv6 takes them by turns; of IPv4 the kernel takes the one that came last. */
const severalWays = [
  {
    family: "IPv4",
    destination: "198.51.100.0/24",
    gateways: ["10.22.0.7", "10.22.0.8"],
    has: ["198.51.100.0/24 via 10.22.0.8 dev eth0", "198.51.100.0/24 via 10.22.0.7 dev eth0"],
  },
  {
    family: "IPv6",
    destination: "2001:db8:9::/48",
    gateways: ["2001:db8:22::7", "2001:db8:22::8"],
    has: [
      "2001:db8:9::/48 metric 1024 pref medium",
      "nexthop via 2001:db8:22::7 dev eth0 weight 1",
      "nexthop via 2001:db8:22::8 dev eth0 weight 1",
    ],
  },
].flatMap((row) => {
  const ipam = { ...dual, routes: row.gateways.map((gw) => ({ dst: row.destination, gw })) };
  return networks.map((each) => ({ ...each, ...row, ipam }));
});

/** The container's routes to there, a line each and one for each way of a route that has several. */
async function waysTo(destination: string, { sandbox }: TestAttachment): Promise<string[]> {
  const family = destination.includes(":") ? "-6" : "-4";
  const text = await sandbox.exec(["ip", family, "route", "show", destination]);
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim());
}

describe.each(engines)("$name", (engine) => {
  const rows = networks.flatMap((row) => [
    { ...row, by: "host-local", ipam: oneFromEach(subnets) },
    { ...row, by: "static", ipam: named },
  ]);
  test.each(rows)("$what with $by: two addresses of each family", async ({ networkOf, config, ipam }) => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    const network = networkOf(node, engine, { ...config, ipam: { ...ipam, routes } });
    const container = await usedBefore(network);
    const before = await look(node, container);
    const result = await network.add(container);
    const given: string[] = result.ips.map((each: Json) => each.address);
    const plain = given.map((address) => address.replace(/\/.*/, ""));
    expect(result.ips.map((each: Json) => each.gateway)).toEqual(gateways);
    expect((await addressesOn(container.sandbox, "eth0")).toSorted()).toEqual(given.toSorted());
    for (const gateway of gateways) await expectAnswer(container.sandbox, gateway);
    // The host outside knows no way back to any of them: each is masqueraded.
    for (const [index, from] of plain.entries()) {
      const target = index < 2 ? outside.address4 : outside.address6;
      await container.sandbox.exec(["ping", "-c", "1", "-W", "2", "-I", from, target]);
    }
    await network.check(container);
    for (const address of given) {
      await container.sandbox.exec(["ip", "address", "delete", address, "dev", "eth0"]);
      (await network.checkOne(0, container)).expectError(102, new RegExp(`address ${address} is missing`));
      await container.sandbox.exec(["ip", "address", "add", address, "dev", "eth0", "nodad"]);
    }
    await network.del(container);
    expectSame(await look(node, container), before);
  });

  test.each(networks.flatMap((row) => ["0.1.0", "0.2.0"].map((version) => ({ ...row, version }))))(
    "$what in $version: two of a family are refused, and nothing is left",
    async ({ what, config, version }) => {
      await using node = await TestNode.create();
      for (const { family, sets, addresses } of pairs) {
        const several = fixed(...addresses.map((address) => ({ address })));
        for (const ipam of [oneFromEach(sets), several]) {
          const own = { type: what, ...config, ipam };
          const network = new TestNetwork(node, version, [{ suite: engine, config: own }]);
          const container = await network.container(family);
          const before = await look(node, container);
          (await network.addOne(0, container)).expectError(7, /does not support more than 1 address per family/);
          expectSame(await look(node, container), before);
        }
      }
    },
  );

  const without = [
    { what: "bridge", config: { type: "bridge", bridge: "cni0" } },
    { what: "tap", config: { type: "tap" } },
    { what: "macvlan", config: { type: "macvlan", master: "uplink" } },
  ];
  test.each(without.flatMap((row) => ["0.1.0", "0.2.0"].map((version) => ({ ...row, version }))))(
    "$what without addresses in $version, whose results need one, is refused, and nothing is left",
    async ({ config, version }) => {
      await using node = await TestNode.create();
      await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
      const network = new TestNetwork(node, version, [{ suite: engine, config }]);
      const container = await network.container("container");
      const before = await look(node, container);
      (await network.addOne(0, container)).expectError(1, /cannot convert: no valid IP addresses/);
      expectSame(await look(node, container), before);
    },
  );

  test.each(severalWays)("$what: two ways to one destination, $family", async ({ networkOf, config, ipam, ...row }) => {
    await using node = await TestNode.create();
    const network = networkOf(node, engine, { ...config, ipam });
    const container = await usedBefore(network);
    const before = await look(node, container);
    expect((await network.add(container)).routes).toEqual(ipam.routes);
    expect(await waysTo(row.destination, container)).toEqual(row.has);
    await network.check(container);
    const [gateway = ""] = row.gateways;
    await container.sandbox.exec(["ip", "route", "delete", row.destination, "via", gateway, "dev", "eth0"]);
    const missing = new RegExp(`route ${row.destination} via ${gateway} dev eth0 is missing`);
    (await network.checkOne(0, container)).expectError(102, missing);
    await network.del(container);
    expectSame(await look(node, container), before);
  });
});

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(`the reference${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  test.each(severalWays)("$what: the same ways, $family", async ({ networkOf, config, ipam, destination, has }) => {
    await using node = await TestNode.create();
    const network = networkOf(node, reference, { ...config, ipam });
    const container = await network.container("container");
    await network.add(container);
    expect(await waysTo(destination, container)).toEqual(has);
  });
});
