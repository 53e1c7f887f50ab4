/** hostShim: the host and its macvlan containers reach each other, and nobody else notices. */
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines } from "../helpers/engines.ts";
import { answers, expectAnswer, fixed, linkOf } from "../helpers/interface-network.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { macvlanNetwork, onSegment, onSegmentBoth } from "./segment.ts";

const withShim = { hostShim: true, ipam: onSegmentBoth };

/** The host's interfaces that are shims. */
async function shims(node: TestNode): Promise<Json[]> {
  return (await node.ip("-d", "link", "show", "type", "macvlan")).filter((link) => /^shim/.test(link["ifname"]));
}

/** Where the routes of shims lead. */
async function routes(node: TestNode): Promise<string[]> {
  const both = [
    ...(await node.ip("-4", "route", "show", "proto", "70")),
    ...(await node.ip("-6", "route", "show", "proto", "70")),
  ];
  return both.map((route) => `${route["dst"]}`).toSorted();
}

/** Asserts that a TCP connection carries a line. */
async function expectConnection(node: TestNode, from: Namespace, to: Namespace, address: string): Promise<void> {
  const bind = address.includes(":") ? "TCP6-LISTEN:7000,reuseaddr" : "TCP4-LISTEN:7000,reuseaddr";
  const server = node.background(["socat", "-d", "-d", bind, "SYSTEM:echo hello"], to);
  await server.waitFor(/listening on/);
  const target = address.includes(":") ? `TCP6:[${address}]:7000` : `TCP4:${address}:7000`;
  expect(await from.exec(["socat", "-u", `${target},connect-timeout=3`, "-"])).toBe("hello\n");
  await server.stop();
}

describe.each(engines)("$name", (engine) => {
  test("host and container reach each other, in both families, and both the segment's hosts", async () => {
    await using node = await TestNode.create();
    const { namespace: outside, ...addresses } = await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    await network.add(container);
    for (const target of ["192.0.2.10", "2001:db8:ffff::10"]) {
      await expectAnswer(node, target);
      await expectConnection(node, node, container.sandbox, target);
      await expectAnswer(outside, target);
    }
    for (const target of [addresses.nodeAddress4, addresses.nodeAddress6]) {
      await expectAnswer(container.sandbox, target);
      await expectConnection(node, container.sandbox, node, target);
      await expectAnswer(outside, target);
    }
    for (const target of [addresses.address4, addresses.address6]) {
      await expectAnswer(container.sandbox, target);
      await expectAnswer(node, target);
    }
    await network.check(container);
    (await network.call(0, "STATUS")).expectSuccess();
  });

  test("who keeps the lock on the host's namespace cannot keep DEL from ending, and ADD fails soon", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: onSegment });
    const container = await network.container("container");
    const refused = await network.container("refused");
    await network.add(container);
    const holder = node.background(["flock", "--no-fork", node.path, "sh", "-c", "echo held; exec sleep 60"]);
    await holder.waitFor(/held/);
    (await network.addOne(0, refused)).expectError(11, /locked by somebody else/);
    expect(await refused.sandbox.hasLink("eth0")).toBe(false);
    await network.del(container);
    expect(await routes(node)).toEqual([]);
    expect(await shims(node)).toEqual([]);
  });

  test("without it they do not", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    await network.add(await network.container("container"));
    expect(await answers(node, "192.0.2.10")).toBe(false);
    expect(await shims(node)).toEqual([]);
  });

  const settings = [
    {
      what: "strict reverse-path filtering",
      sysctls: ["net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1"],
    },
    {
      what: "arp_ignore and arp_announce as for IPVS",
      sysctls: ["net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"],
    },
    { what: "forwarding", sysctls: ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] },
    { what: "IPv6 off by default", sysctls: ["net.ipv6.conf.default.disable_ipv6=1"] },
  ];
  test.each(settings)("they do on a host with $what", async ({ sysctls }) => {
    await using node = await TestNode.create();
    const { nodeAddress4, nodeAddress6 } = await node.outside();
    for (const sysctl of sysctls) await node.exec(["sysctl", "-qw", sysctl]);
    await node.exec(["ip", "link", "add", "first", "type", "veth", "peer", "name", "second"]);
    await node.exec(["ip", "address", "add", "198.51.100.1/24", "dev", "first"]);
    await node.exec(["ip", "link", "set", "first", "up"]);
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    await network.add(container);
    for (const target of [nodeAddress4, nodeAddress6]) await expectAnswer(container.sandbox, target);
    for (const target of ["192.0.2.10", "2001:db8:ffff::10"]) await expectAnswer(node, target);
    await network.check(container);
  });

  test("the segment's hosts know the node by its parent's hardware address alone", async () => {
    await using node = await TestNode.create();
    const { namespace: outside, nodeAddress4, nodeAddress6 } = await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    await network.add(container);
    await expectAnswer(container.sandbox, nodeAddress4);
    const { address: shim } = (await shims(node))[0];
    const { address: parent } = await linkOf(node, "uplink");
    const capture = await Capture.start(node, outside, "eth0", "arp or icmp6", true);
    for (let round = 0; round < 3; round++) {
      await outside.exec(["ip", "neigh", "flush", "all"]);
      for (const target of [nodeAddress4, nodeAddress6]) await expectAnswer(outside, target);
      const known = await outside.ip("neigh", "show");
      for (const each of known) if (String(each["dst"]).endsWith("1")) expect(each["lladdr"]).toBe(parent);
    }
    const fromShim = (await capture.stop()).filter((line) => line.startsWith(shim));
    expect(fromShim.filter((line) => /is-at|tgt is 2001/.test(line))).toEqual([]);
  });

  test("no router advertisement is taken from the segment by the shim", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    await network.add(await network.container("container"));
    const [shim] = await shims(node);
    const value = async (key: string): Promise<string> =>
      (await node.exec(["cat", `/proc/sys/net/ipv6/conf/${shim.ifname}/${key}`])).trim();
    expect(await value("accept_ra")).toBe("0");
    expect(await value("disable_ipv6")).toBe("0");
    const four = macvlanNetwork(
      node,
      engine,
      { hostShim: true, ipam: fixed({ address: "192.0.2.77/24" }) },
      {},
      "four",
    );
    await four.add(await four.container("four"));
    const other = (await shims(node)).find((each) => each.ifname !== shim.ifname);
    expect(await node.exec(["ip", "-6", "address", "show", "dev", other.ifname]), "IPv6 only where needed").toBe("");
  });

  test("one shim for a network's containers, removed with the last: the node is as before", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    const containers = [
      await network.container("one"),
      await network.container("two"),
      await network.container("three"),
    ];
    const [one, two, three] = containers;
    if (one === undefined || two === undefined || three === undefined) throw new Error("three containers");
    await network.add(one);
    await network.del(one);
    const before = await snapshot(node);
    await network.add(one);
    await network.add(two);
    const [shim, ...more] = await shims(node);
    expect(more).toEqual([]);
    expect(shim.ifname).toMatch(/^shim[0-9a-f]{8}$/);
    expect(shim.ifalias).toMatch(/^[0-9a-f]{16}-shim testnet uplink$/);
    expect(await routes(node)).toHaveLength(4);
    // Without the namespace, and without what ADD said.
    one.result = undefined;
    await network.del(one, { netns: "" });
    expect((await shims(node))[0].ifname).toBe(shim.ifname);
    expect(await routes(node)).toHaveLength(2);
    await expectAnswer(node, two.result.ips[0].address.replace(/\/.*/, ""));
    await network.add(three);
    expect((await shims(node))[0].address, "the others need not learn anew").toBe(shim.address);
    await network.del(two);
    await network.del(two);
    await network.del(three);
    expectSame(await snapshot(node), before);
  });

  test("they do where the container's subnet is not the parent's, and it has no route to that", async () => {
    await using node = await TestNode.create();
    const { nodeAddress4, nodeAddress6 } = await node.outside();
    const ipam = fixed({ address: "198.51.100.5/24" }, { address: "2001:db8:eeee::5/64" });
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam });
    const container = await network.container("container");
    await network.add(container);
    for (const target of [nodeAddress4, nodeAddress6]) await expectAnswer(container.sandbox, target);
    for (const target of ["198.51.100.5", "2001:db8:eeee::5"]) await expectAnswer(node, target);
    await network.check(container);
    await container.sandbox.exec(["ip", "route", "del", nodeAddress4]);
    (await network.checkOne(0, container)).expectError(102, /route 192\.0\.2\.1\/32 dev eth0 is missing/);
    await network.del(container);
    expect(await routes(node)).toEqual([]);
  });

  test("an address that is given again is reached at once", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const ipam = (last: number): object =>
      fixed({ address: `192.0.2.${last}/24` }, { address: `2001:db8:ffff::${last}/64` });
    const keeps = macvlanNetwork(node, engine, { hostShim: true, ipam: ipam(60) });
    await keeps.add(await keeps.container("keeper"));
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: ipam(61) });
    for (const name of ["first", "second"]) {
      const container = await network.container(name);
      await network.add(container);
      for (const target of ["192.0.2.61", "2001:db8:ffff::61"]) await expectAnswer(node, target);
      await network.del(container);
    }
    expect(await node.ip("neigh", "show", "192.0.2.61")).toEqual([]);
  });

  test("two networks on one parent have a shim each, and one's DEL and GC leave the other's", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const first = macvlanNetwork(
      node,
      engine,
      { hostShim: true, ipam: fixed({ address: "192.0.2.60/24" }) },
      {},
      "first",
    );
    const second = macvlanNetwork(
      node,
      engine,
      { hostShim: true, ipam: fixed({ address: "192.0.2.61/24" }) },
      {},
      "second",
    );
    const one = await first.container("container");
    const two = await second.container("container");
    await first.add(one);
    await second.add(two);
    expect(await shims(node)).toHaveLength(2);
    for (const target of ["192.0.2.60", "192.0.2.61"]) await expectAnswer(node, target);
    await second.gc([two]);
    await first.gc([]);
    expect(await routes(node)).toEqual(["192.0.2.61"]);
    expect(await shims(node)).toHaveLength(1);
    await expectAnswer(node, "192.0.2.61");
    await second.check(two);
  });

  test("GC removes the routes of containers that are gone, and keeps the others'", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await one.sandbox.remove();
    await network.gc([two]);
    expect(await routes(node)).toEqual(["192.0.2.11", "2001:db8:ffff::11"]);
    await network.check(two);
    await expectAnswer(node, "192.0.2.11");
    await network.gc([]);
    expect(await shims(node)).toEqual([]);
  });

  test("containers that come and go at once leave a shim as long as one is there, and none after", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: onSegment });
    const containers = [];
    for (let each = 0; each < 8; each++) containers.push(await network.container(`c${each}`));
    await Promise.all(containers.map((container) => network.add(container)));
    expect(await shims(node)).toHaveLength(1);
    expect(await routes(node)).toHaveLength(8);
    const again = containers.slice(0, 4);
    for (let round = 0; round < 2; round++) {
      await Promise.all(containers.map((container) => network.del(container)));
      expect(await shims(node)).toEqual([]);
      for (const container of containers) container.result = undefined;
      // Some come while others go.
      await Promise.all(again.map((container) => network.add(container)));
      const rest = containers.slice(4);
      await Promise.all([...again.map((each) => network.del(each)), ...rest.map((each) => network.add(each))]);
      expect(await routes(node)).toHaveLength(4);
      for (const each of rest) await network.check(each);
    }
  });

  test("CHECK notices a shim that is missing or down, a missing route, and a container that has forgotten it", async () => {
    await using node = await TestNode.create();
    const { nodeAddress4 } = await node.outside();
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: onSegment });
    const container = await network.container("container");
    const rows = [
      { break: ["ip", "route", "del", "192.0.2.10"], text: /route 192\.0\.2\.10\/32 dev shim\w+ is missing/ },
      { break: ["sh", "-c", "ip link del $(ls /sys/class/net | grep shim)"], text: /shim is missing/ },
      { break: ["sh", "-c", "ip link set $(ls /sys/class/net | grep shim) down"], text: /is down/ },
    ];
    for (const row of rows) {
      container.result = undefined;
      await network.add(container);
      await network.check(container);
      await node.exec(row.break);
      (await network.checkOne(0, container)).expectError(102, row.text);
      await network.del(container);
    }
    container.result = undefined;
    await network.add(container);
    await container.sandbox.exec(["ip", "neigh", "del", nodeAddress4, "dev", "eth0"]);
    (await network.checkOne(0, container)).expectError(102, /does not know that the host's address 192\.0\.2\.1 is at/);
  });

  test("a container of IPv4 alone needs no IPv6 of the parent, and a family that the parent lacks is left out", async () => {
    await using node = await TestNode.create();
    const { nodeAddress6 } = await node.outside();
    await node.exec(["ip", "address", "del", `${nodeAddress6}/64`, "dev", "uplink"]);
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    await network.add(container);
    expect(await routes(node)).toEqual(["192.0.2.10"]);
    await expectAnswer(node, "192.0.2.10");
    await network.check(container);
  });

  test("a parent without an address is refused: the container could not answer; nothing is left", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "address", "flush", "dev", "uplink", "scope", "global"]);
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(7, /the host has no address on uplink/);
    const after = await snapshot(node, { sandboxes: [container.sandbox] });
    const links = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith("file:"));
    expect(links(after.lines)).toEqual(links(before.lines));
    (await network.call(0, "STATUS")).expectError(50, /the host has no address on uplink/);
  });

  test("a parent that was renamed keeps its shim, and another that has its name by now gets one of its own", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: onSegment });
    const one = await network.container("one");
    await network.add(one);
    await node.exec(["ip", "link", "set", "uplink", "name", "renamed"]);
    const renamed = macvlanNetwork(node, engine, { master: "renamed", hostShim: true, ipam: onSegment });
    const two = await renamed.container("two");
    await renamed.add(two);
    expect(await shims(node)).toHaveLength(1);
    for (const target of ["192.0.2.10", "192.0.2.11"]) await expectAnswer(node, target);
    await renamed.check(one);
    await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
    await node.exec(["ip", "address", "add", "198.51.100.1/24", "dev", "uplink"]);
    for (const link of ["uplink", "far"]) await node.exec(["ip", "link", "set", link, "up"]);
    const other = macvlanNetwork(node, engine, { hostShim: true, ipam: fixed({ address: "198.51.100.5/24" }) });
    const three = await other.container("three");
    await other.add(three);
    expect((await shims(node)).map((each) => each["link"]).toSorted()).toEqual(["renamed", "uplink"]);
    await expectAnswer(node, "198.51.100.5");
    for (const container of [one, two, three]) await other.del(container);
    expect(await shims(node)).toEqual([]);
  });

  test("on a parent that is a macvlan itself, containers share one shim", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "add", "upper", "link", "uplink", "type", "macvlan", "mode", "bridge"]);
    await node.exec(["ip", "address", "add", "192.0.2.3/24", "dev", "upper"]);
    await node.exec(["ip", "link", "set", "upper", "up"]);
    const network = macvlanNetwork(node, engine, { master: "upper", hostShim: true, ipam: onSegment });
    const containers = [await network.container("one"), await network.container("two")];
    for (const container of containers) await network.add(container);
    expect(await shims(node)).toHaveLength(1);
    for (const target of ["192.0.2.10", "192.0.2.11"]) await expectAnswer(node, target);
    for (const container of containers) await network.del(container);
    expect(await shims(node)).toEqual([]);
  });

  test("a hardware address of the shim's that another macvlan has is told, and nothing is left", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { hostShim: true, ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    const { address: mac } = (await shims(node))[0];
    await network.del(container);
    await node.exec(["ip", "link", "add", "twin", "link", "uplink", "address", mac, "type", "macvlan"]);
    await node.exec(["ip", "link", "set", "twin", "up"]);
    container.result = undefined;
    (await network.addOne(0, container)).expectError(101, new RegExp(`\\(hostShim\\): another interface .* ${mac}`));
    expect(await shims(node)).toEqual([]);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test("a name that another interface has is refused, and that interface stays", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, withShim);
    const container = await network.container("container");
    await network.add(container);
    const name = (await shims(node))[0].ifname;
    await network.del(container);
    await node.exec(["ip", "link", "add", name, "type", "bridge"]);
    container.result = undefined;
    (await network.addOne(0, container)).expectError(101, new RegExp(`${name}.*another interface of that name`));
    expect((await linkOf(node, name)).linkinfo.info_kind).toBe("bridge");
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test.each([
    { config: { mode: "passthru" }, text: /hostShim: in mode passthru/ },
    { config: { mode: "private" }, text: /hostShim: in mode private/ },
    { config: { linkInContainer: true }, text: /hostShim: the parent is in the container/ },
    { config: { ipam: undefined }, text: /hostShim: there are no addresses/ },
  ])("$config is refused with it", async ({ config, text }) => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ...withShim, ...config });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(7, text);
    await network.del(container);
  });
});
