/** The bridge as gateway: which addresses it gets, what it does about others, and the routes of the containers. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { addressesOn, bridgeNetwork, dual, expectAnswer, fixed, four, linkOf } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, type Snapshot, snapshot } from "../helpers/snapshot.ts";

describe.each(engines)("$name", (engine) => {
  test("the bridge is made, has the gateway's addresses, and answers at them", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isDefaultGateway: true, ipam: dual });
    const container = await network.container("container");
    const result = await network.add(container);
    expect(await addressesOn(node, "cni0")).toEqual(["10.22.0.1/24", "2001:db8:22::1/64"]);
    expect(result.interfaces.map((each: Json) => each.name)).toEqual([
      "cni0",
      expect.stringMatching(/^veth[0-9a-f]{8}$/),
      "eth0",
    ]);
    for (const each of result.interfaces) {
      const link = await linkOf(each.sandbox === undefined ? node : container.sandbox, each.name);
      expect(each.mac).toBe(link.address);
      expect(each.mtu, "a result of 1.1.0 tells the MTU").toBe(link.mtu);
    }
    expect(result.ips.map((each: Json) => each.interface)).toEqual([2, 2]);
    expect((await linkOf(node, "cni0")).promiscuity, "not promiscuous").toBe(0);
    await expectAnswer(container.sandbox, "10.22.0.1");
    await expectAnswer(container.sandbox, "2001:db8:22::1");
    expect(await node.exec(["cat", "/proc/sys/net/ipv4/ip_forward"])).toBe("1\n");
    expect(await node.exec(["cat", "/proc/sys/net/ipv6/conf/all/forwarding"])).toBe("1\n");
  });

  test("with an MTU that IPv6 cannot have it is refused, and neither bridge nor reservation is left", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, mtu: 1279, ipam: dual });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(
      7,
      /cni0 cannot have an IPv6 address: its MTU is 1279, and IPv6 needs 1280/,
    );
    const isKept = (line: string): boolean =>
      /^file: .*(\/|\/lock|\/complete|\/last_reserved_ip\.\d) \d+( "")?$/.test(line);
    const after = await snapshot(node, { sandboxes: [container.sandbox] });
    expectSame({ lines: after.lines.filter((line) => !isKept(line)) }, before);
  });

  test("one IPv4 and two IPv6 addresses", async () => {
    await using node = await TestNode.create();
    const ranges = [
      [{ subnet: "10.22.0.0/24" }],
      [{ subnet: "2001:db8:22::/64" }],
      [{ subnet: "2001:db8:23::/64", gateway: "2001:db8:23::ff" }],
    ];
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: { type: "host-local", ranges } });
    const container = await network.container("container");
    await network.add(container);
    expect((await addressesOn(node, "cni0")).toSorted()).toEqual([
      "10.22.0.1/24",
      "2001:db8:22::1/64",
      "2001:db8:23::ff/64",
    ]);
    await expectAnswer(container.sandbox, "2001:db8:23::ff");
    await network.check(container);
  });

  test("containers of one network reach each other", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await expectAnswer(one.sandbox, "10.22.0.3");
    await expectAnswer(two.sandbox, "2001:db8:22::2");
  });

  test("an existing bridge is used as it is, and gets an address of its own that stays", async () => {
    await using node = await TestNode.create();
    await node.exec(["ip", "link", "add", "cni0", "type", "bridge"]);
    const index = (await linkOf(node, "cni0")).ifindex;
    const network = bridgeNetwork(node, engine, { isGateway: true, mtu: 1400, ipam: four });
    const one = await network.container("one");
    const { interfaces } = await network.add(one);
    const mac = interfaces[0].mac;
    expect((await linkOf(node, "cni0")).ifindex).toBe(index);
    for (const name of ["two", "three", "four"]) await network.add(await network.container(name));
    expect((await linkOf(node, "cni0")).address).toBe(mac);
    await network.del(one);
    expect((await linkOf(node, "cni0")).address, "the first port is gone, its address not the bridge's").toBe(mac);
  });

  test("an existing bridge whose last port has gone, so that it has no address, gets one", async () => {
    await using node = await TestNode.create();
    await node.exec(["sh", "-c", "ip link add cni0 type bridge; ip link add p type veth; ip link set p master cni0"]);
    await node.exec(["ip", "link", "delete", "p"]);
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: four });
    const container = await network.container("container");
    await network.add(container);
    expect((await linkOf(node, "cni0")).address).not.toBe("00:00:00:00:00:00");
    await expectAnswer(container.sandbox, "10.22.0.1");
  });

  test("a link of that name that is no bridge is refused, by STATUS too, and nothing is left", async () => {
    await using node = await TestNode.create();
    await node.exec(["ip", "link", "add", "cni0", "type", "veth", "peer", "name", "other"]);
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: four });
    const container = await network.container("container");
    const look = (): ReturnType<typeof snapshot> => snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(7, /"cni0" already exists but is not a bridge.*veth/s);
    const before = await look();
    (await network.addOne(0, container)).expectError(7);
    expectSame(await look(), before);
    (await network.call(0, "STATUS")).expectError(50, /is not a bridge/);
  });

  const conflicts = [
    { what: "another IPv4 address", has: "10.9.9.9/16", ipam: four, wanted: "10.22.0.1/24" },
    { what: "the gateway with another length", has: "10.22.0.1/16", ipam: four, wanted: "10.22.0.1/24" },
    {
      what: "an overlapping IPv6 address",
      has: "2001:db8:22::9/48",
      ipam: { type: "host-local", ranges: [[{ subnet: "2001:db8:22::/64" }]] },
      wanted: "2001:db8:22::1/64",
    },
  ];
  test.each(conflicts)(
    "$what on the bridge is refused, and replaced with forceAddress",
    async ({ has, ipam, wanted }) => {
      await using node = await TestNode.create();
      await node.exec(["sh", "-c", `ip link add cni0 type bridge; ip addr add ${has} dev cni0; ip link set cni0 up`]);
      const network = bridgeNetwork(node, engine, { isGateway: true, ipam });
      const refused = await network.addOne(0, await network.container("refused"));
      const error = refused.expectError(101, /"cni0" already has an IP address different from/);
      expect(error.msg).toContain(has);
      expect(error.details, "the command that helps").toContain(`ip addr del ${has} dev cni0`);
      expect(await addressesOn(node, "cni0")).toEqual([has]);
      expect((await node.ip("link", "show", "type", "veth")).length, "no port is left").toBe(0);
      const forcing = bridgeNetwork(node, engine, { isGateway: true, forceAddress: true, ipam }, "forcing");
      await forcing.add(await forcing.container("container"));
      expect(await addressesOn(node, "cni0")).toEqual([wanted]);
    },
  );

  test.each(conflicts)("$what comes back when an ADD fails that has replaced it", async ({ has, ipam }) => {
    await using node = await TestNode.create();
    await node.exec(["sh", "-c", `ip link add cni0 type bridge; ip addr add ${has} dev cni0; ip link set cni0 up`]);
    // Fails once all is there: the gateways of these routes are on no link.
    const routes = [
      { dst: "198.51.100.0/24", gw: "203.0.113.1" },
      { dst: "2001:db8:51::/64", gw: "2001:db8:ffff::1" },
    ];
    const forcing = { isGateway: true, forceAddress: true, ipam: { ...ipam, routes } };
    const network = bridgeNetwork(node, engine, forcing);
    (await network.addOne(0, await network.container("container"))).expectOrderlyFailure();
    expect(await addressesOn(node, "cni0")).toEqual([has]);
  });

  test("several addresses of one subnet come back in their order", async () => {
    await using node = await TestNode.create();
    const has = ["10.9.9.9/16", "10.9.9.8/16", "10.9.9.10/16"];
    await node.exec(["ip", "link", "add", "cni0", "up", "type", "bridge"]);
    for (const address of has) await node.exec(["ip", "address", "add", address, "dev", "cni0"]);
    const before = await snapshot(node);
    const routes = [{ dst: "198.51.100.0/24", gw: "203.0.113.1" }];
    const network = bridgeNetwork(node, engine, { isGateway: true, forceAddress: true, ipam: { ...four, routes } });
    (await network.addOne(0, await network.container("container"))).expectOrderlyFailure();
    expect(await addressesOn(node, "cni0")).toEqual(has);
    const ofBridge = (all: Snapshot): string[] => all.lines.filter((line) => line.includes("10.9."));
    expect(ofBridge(await snapshot(node))).toEqual(ofBridge(before));
  });

  test("IPv6 addresses of other subnets stay beside the gateway's", async () => {
    await using node = await TestNode.create();
    await node.exec(["sh", "-c", "ip link add cni0 type bridge; ip addr add 2001:db8:77::1/64 dev cni0 nodad"]);
    const network = bridgeNetwork(node, engine, { isGateway: true, forceAddress: true, ipam: dual });
    await network.add(await network.container("container"));
    expect((await addressesOn(node, "cni0")).toSorted()).toEqual([
      "10.22.0.1/24",
      "2001:db8:22::1/64",
      "2001:db8:77::1/64",
    ]);
  });

  test("isDefaultGateway and a default route of IPAM's without gateway make one default route", async () => {
    await using node = await TestNode.create();
    const ipam = { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] };
    const network = bridgeNetwork(node, engine, { isDefaultGateway: true, ipam });
    const container = await network.container("container");
    await network.add(container);
    const routes = await container.sandbox.ip("route", "show", "default");
    expect(routes.map((route) => route["gateway"])).toEqual(["10.22.0.1"]);
    const routes6 = await container.sandbox.ip("-6", "route", "show", "default");
    expect(routes6.map((route) => route["gateway"])).toEqual(["2001:db8:22::1"]);
    await network.check(container);
  });

  test("a default route of IPAM's with its own gateway wins over isDefaultGateway", async () => {
    await using node = await TestNode.create();
    const ipam = { ...four, routes: [{ dst: "0.0.0.0/0", gw: "10.22.0.254" }] };
    const network = bridgeNetwork(node, engine, { isDefaultGateway: true, ipam });
    const container = await network.container("container");
    await network.add(container);
    const routes = await container.sandbox.ip("route", "show", "default");
    expect(routes.map((route) => route["gateway"])).toEqual(["10.22.0.254"]);
  });

  test("a route's mtu, advmss, metric, table and scope are the kernel's too", async () => {
    await using node = await TestNode.create();
    const routes = [
      { dst: "198.51.100.0/24", mtu: 1300, advmss: 1200, priority: 77 },
      { dst: "203.0.113.0/24", table: 5000 },
      { dst: "192.0.2.0/24", scope: 253 },
    ];
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: { ...four, routes } });
    const container = await network.container("container");
    await network.add(container);
    const have = await container.sandbox.exec(["ip", "route", "show", "table", "all", "type", "unicast"]);
    expect(have).toMatch(/198\.51\.100\.0\/24 via 10\.22\.0\.1 dev eth0 metric 77 mtu 1300 advmss 1200/);
    expect(have).toMatch(/203\.0\.113\.0\/24 via 10\.22\.0\.1 dev eth0 table 5000/);
    expect(have).toMatch(/192\.0\.2\.0\/24 dev eth0 scope link/);
    await network.check(container);
  });

  test("the container's address outlives the link going down", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    const container = await network.container("container");
    await network.add(container);
    await container.sandbox.exec(["ip", "link", "set", "eth0", "down"]);
    expect(await addressesOn(container.sandbox, "eth0")).toEqual(["10.22.0.2/24", "2001:db8:22::2/64"]);
  });

  test("the container may have any address, by the static plugin", async () => {
    await using node = await TestNode.create();
    const ipam = fixed({ address: "10.22.0.77/24", gateway: "10.22.0.1" });
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam });
    const container = await network.container("container");
    await network.add(container);
    await expectAnswer(container.sandbox, "10.22.0.1");
  });
});
