/** bridge when things go wrong around it: killed ADDs, repeated ADDs, taken names, hosts without IPv6, routers and rogues. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { CallCounter, inject, steps } from "../helpers/faults.ts";
import {
  addressesOn,
  bridgeNetwork,
  dual,
  expectAnswer,
  expectLifeWithoutIpv6,
  fixed,
  four,
  linkOf,
} from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import {
  advertisedPrefix,
  advertiseRouter,
  advertiseUntil,
  believesAdvertisement,
  waitUntilBelieved,
} from "../helpers/router-advertisement.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

async function hostEnds(node: TestNode): Promise<number> {
  return (await node.ip("link", "show", "type", "veth")).length;
}

describe.each(engines)("$name", (engine) => {
  test("an ADD after a killed one replaces what it left, wherever it was killed", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { mtu: 1400 });
    const first = await network.container("first");
    const counter = new CallCounter(node, ["sendto"], "threads and children");
    (await network.addOne(0, first, { wrapper: counter.wrapper })).expectSuccess();
    const count = (await counter.counts()).get("sendto") ?? 0;
    await network.del(first);
    expect(count).toBeGreaterThan(5);
    for (const nth of steps(count, engine.name === "native" ? 40 : 6)) {
      const container = await network.container(`container-${nth}`);
      const fault = { kind: "signal", call: "sendto", signal: "KILL" } as const;
      await network.addOne(0, container, { wrapper: inject(fault, nth, "threads and children") });
      const again = await network.addOne(0, container);
      // Killed when all but the answer was done: then it is there, as after any ADD, and is to be deleted first.
      if (again.status !== 0) {
        again.expectError(101);
        await network.del(container);
        (await network.addOne(0, container)).expectSuccess();
      }
      expect(await hostEnds(node), `killed at call ${nth}`).toBe(1);
      await network.del(container);
      expect(await hostEnds(node), `killed at call ${nth}, then deleted`).toBe(0);
    }
  });

  test("a container whose id is as long as a file's name may be comes and goes", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipMasq: true, macspoofchk: true, ipam: four });
    const first = await network.container("first");
    await network.add(first);
    await network.del(first);
    const before = await snapshot(node);
    const container = await network.container("0123456789".repeat(25));
    await network.add(container);
    await network.check(container);
    await network.del(container);
    expectSame(await snapshot(node), before);
  });

  test("an ADD of the same container in a new sandbox replaces the pair in the old one", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine);
    const before = await network.container("container");
    await network.add(before);
    const after = await network.container("container");
    await network.add(after);
    expect(await hostEnds(node)).toBe(1);
    expect(await after.sandbox.hasLink("eth0")).toBe(true);
    await network.check(after);
    await network.del(after);
    expect(await hostEnds(node)).toBe(0);
  });

  test("an ADD that fails takes the bridge it made from nobody who joins it meanwhile", {
    timeout: 300_000,
  }, async () => {
    await using node = await TestNode.create();
    // Fails once all is there: the gateway of this route is on no link.
    const routes = [{ dst: "198.51.100.0/24", gw: "203.0.113.1" }];
    const failing = bridgeNetwork(node, engine, { isGateway: true, ipam: { ...four, routes } });
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: four });
    const first = await failing.container("first");
    const others = [];
    for (let index = 0; index < 10; index += 1) others.push(await network.container(`other-${index}`));
    for (let round = 0; round < 6; round += 1) {
      const failed = failing.addOne(0, first);
      const joined = others.map(async (other, index) => {
        await new Promise((resolve) => setTimeout(resolve, 4 * index + round));
        return network.addOne(0, other);
      });
      expect((await failed).stdout).not.toContain("not taken back");
      for (const call of await Promise.all(joined)) call.expectSuccess();
      expect(await addressesOn(node, "cni0")).toEqual(["10.22.0.1/24"]);
      expect(await node.ip("link", "show", "master", "cni0")).toHaveLength(others.length);
      for (const call of await Promise.all(others.map((other) => network.delOne(0, other)))) call.expectSuccess();
      await node.exec(["ip", "link", "delete", "cni0"]);
    }
  });

  test("a repeated ADD is refused with code 101 and disturbs nothing", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipMasq: true, macspoofchk: true, ipam: dual });
    const container = await network.container("container");
    await network.add(container);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.call(0, "ADD", container)).expectError(101, /"eth0".* already exists/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    await expectAnswer(container.sandbox, "10.22.0.1");
  });

  test("an interface name that is taken is refused, and the DEL that follows leaves its owner alone", async () => {
    await using node = await TestNode.create();
    const owning = bridgeNetwork(node, engine, { isGateway: true, ipam: four }, "owning");
    const late = bridgeNetwork(node, engine, { bridge: "cni1" }, "late");
    const owner = await owning.container("container");
    await owning.add(owner);
    const comer = await late.container("container", "eth0", owner.sandbox);
    (await late.addOne(0, comer)).expectError(101, /"eth0".* already exists/);
    await late.del(comer);
    await expectAnswer(owner.sandbox, "10.22.0.1");
    await owner.sandbox.exec(["ip", "link", "add", "br7", "type", "bridge"]);
    const taken = await late.container("container", "br7", owner.sandbox);
    (await late.addOne(0, taken)).expectError(101);
    await late.del(taken);
    expect(await owner.sandbox.hasLink("br7")).toBe(true);
  });

  test("with IPv6 switched off, an IPv4 network works whole", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, {
      isDefaultGateway: true,
      ipMasq: true,
      macspoofchk: true,
      ipam: four,
    });
    await expectLifeWithoutIpv6(network);
    expect(await hostEnds(node)).toBe(0);
  });

  test("with IPv6 switched off on the host, an IPv6 gateway is refused with the reason, and nothing is left", async () => {
    await using node = await TestNode.create();
    await node.exec(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]);
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(5);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(5, /2001:db8:22::1\/64.*IPv6 is switched off/s);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("in a sandbox with IPv6 switched off, an IPv6 address of IPAM's switches it on for the interface", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    const container = await network.container("container");
    await container.sandbox.exec(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
    await container.sandbox.exec(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
    await network.add(container);
    await expectAnswer(container.sandbox, "2001:db8:22::1");
  });

  test("the host's default route learned by router advertisement survives the first ADD", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    await advertiseRouter(outside.namespace, "eth0");
    await waitUntilBelieved(node);
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    await network.add(await network.container("container"));
    expect(await node.exec(["cat", "/proc/sys/net/ipv6/conf/all/forwarding"])).toBe("1\n");
    expect(await node.exec(["ip", "-6", "route", "show", "default"])).toMatch(/dev uplink proto ra/);
    // And the next advertisement is heard, too.
    await node.exec(["ip", "-6", "route", "flush", "proto", "ra"]);
    await node.exec(["ip", "-6", "address", "flush", "dev", "uplink", "dynamic"]);
    await advertiseRouter(outside.namespace, "eth0");
    await waitUntilBelieved(node);
  });

  const ways = [
    { what: "both families", config: { isGateway: true, ipam: dual } },
    { what: "IPv4 alone", config: { isGateway: true, ipam: four } },
    { what: "an IPv6 network without gateway", config: { ipam: fixed({ address: "2001:db8:22::9/64" }) } },
  ];
  test.each(ways)(
    "a container's router advertisements are believed nowhere (CVE-2020-10749): $what",
    async ({ config }) => {
      await using node = await TestNode.create();
      const network = bridgeNetwork(node, engine, config);
      const rogue = await network.container("rogue");
      const sibling = await network.container("sibling");
      await network.add(rogue);
      await network.add(sibling);
      // One on the same bridge that believes anything shows that the advertisement arrives and is good.
      const witness = await node.sandbox("witness");
      await node.exec(["ip", "link", "add", "witness", "type", "veth", "peer", "name", "eth0", "netns", witness.name]);
      await node.exec(["ip", "link", "set", "witness", "master", "cni0", "up"]);
      await witness.exec(["ip", "link", "set", "eth0", "up"]);
      await advertiseUntil(() => believesAdvertisement(witness), rogue.sandbox, "eth0");
      expect(await believesAdvertisement(node), "the host").toBe(false);
      expect(await believesAdvertisement(sibling.sandbox), "the sibling").toBe(false);
      expect((await addressesOn(node, "cni0")).join()).not.toContain(advertisedPrefix);
    },
  );

  test("VLANs on a kernel without VLAN filtering are refused with the reason, and nothing is left", async ({
    skip,
  }) => {
    await using node = await TestNode.create();
    const filters = await node.run(["ip", "link", "add", "probe", "type", "bridge", "vlan_filtering", "1"]);
    skip(filters.status === 0, "this kernel has VLAN filtering");
    const network = bridgeNetwork(node, engine, { vlan: 100 });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(2, /VLAN filtering/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("a name that no interface can have is refused before anything is done", async () => {
    await using node = await TestNode.create();
    for (const bridge of ["a/b", "..", "a-name-that-is-too-long", "with space"]) {
      const network = bridgeNetwork(node, engine, { bridge });
      (await network.addOne(0, await network.container("container"))).expectError(7, /cannot name a bridge/);
    }
    const network = bridgeNetwork(node, engine, { bridge: "a-long-bridge", vlan: 100, isGateway: true });
    (await network.addOne(0, await network.container("container"))).expectError(7, /shorten the bridge's name/);
    expect((await linkOf(node, "lo")).ifindex).toBe(1);
    expect((await node.ip("link")).length).toBe(1);
  });
});
