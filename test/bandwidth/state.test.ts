/** bandwidth: which queues, filters and devices are there after each verb. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { inject } from "../helpers/faults.ts";
import { dual, linkOf } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { followedFor } from "../lifecycle/stage.ts";
import {
  addBandwidth,
  BANDWIDTH,
  bothWays,
  filtersOf,
  hostEnd,
  ifbOf,
  ifbs,
  limitedNetwork,
  queuesOf,
  withBursts,
} from "./limited-node.ts";

/** A kernel that has a list of its modules is asked by that: test/vm/bandwidth.sh. */
const listed = existsSync("/proc/modules") ? " (skipped: this machine's kernel has a list of its modules)" : "";

const tbf = { kind: "tbf", handle: "1:", root: true };

describe.each(engines)("$name", (suite) => {
  test("ADD: a tbf at the host's end, one at an ifb device that all arriving packets are redirected to, which the result tells", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, withBursts);
    const container = await network.container("container");
    const before = await network.add(container, BANDWIDTH);
    const result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    container.result = result;
    const [end, ifb] = [hostEnd(container), ifbOf(container)];
    const device = await linkOf(node, ifb);
    expect(result).toEqual({
      ...before,
      interfaces: [...before.interfaces, { name: ifb, mac: device.address, mtu: 1500 }],
    });
    expect(await queuesOf(node, ifb)).toMatchObject([{ ...tbf, options: { rate: 375_000 } }]);
    const [root, ingress] = await queuesOf(node, end);
    expect(root).toMatchObject({ ...tbf, options: { rate: 1_250_000, burst: 125_000, lat: 25_000 } });
    expect(ingress).toMatchObject({ kind: "ingress", handle: "ffff:" });
    expect(await filtersOf(node, end)).toMatch(new RegExp(`Egress Redirect to device ${ifb}\\) stolen`));
    expect(device).toMatchObject({ linkinfo: { info_kind: "ifb" }, mtu: 1500, flags: expect.arrayContaining(["UP"]) });
    expect((await node.ip("address", "show", "dev", ifb))[0]?.["addr_info"]).toEqual([]);
    expect(device.ifalias).toMatch(/^[0-9a-f]{16}-[0-9a-f]{16} testnet eth0 container$/);
    await network.check(container);
    await network.del(container);
    expect(await ifbs(node)).toEqual([]);
  });

  test.each([
    { what: "to the container", config: { ingressRate: 1e6 }, kinds: ["tbf"], devices: 0 },
    { what: "from the container", config: { egressRate: 1e6 }, kinds: ["ingress"], devices: 1 },
    { what: "in neither direction", config: { ingressRate: 0 }, kinds: [], devices: 0 },
  ])("a limit $what alone", async ({ config, kinds, devices }) => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, config);
    const container = await network.container("container");
    const before = await network.add(container, BANDWIDTH);
    const result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    expect(result.interfaces).toHaveLength(before.interfaces.length + devices);
    expect((await queuesOf(node, hostEnd(container))).map((each) => each.kind)).toEqual(kinds);
    expect(await ifbs(node)).toHaveLength(devices);
    await network.check(container);
    await network.del(container);
  });

  test("limits of the runtime count, unless the configuration has any of its own", async () => {
    await using node = await TestNode.create();
    const runtimeConfig = { bandwidth: { ingressRate: 8e6, egressRate: 8e6 } };
    const network = limitedNetwork(node, suite, { capabilities: { bandwidth: true } }, { runtimeConfig });
    const container = await network.container("container");
    await network.add(container);
    expect(await queuesOf(node, ifbOf(container))).toMatchObject([{ options: { rate: 1e6 } }]);
    await network.check(container);
    const own = limitedNetwork(node, suite, { ingressRate: 16e6 }, { runtimeConfig });
    const other = await own.container("other");
    await own.add(other);
    expect(await queuesOf(node, hostEnd(other))).toMatchObject([{ options: { rate: 2e6 } }]);
    expect(await ifbs(node)).toEqual([ifbOf(container)]);
  });

  // plugins#609: runtimes pass 2³¹−1 bits and the like where they know a rate alone.
  test("a burst that a runtime passes for want of one is 20 ms of the rate", async () => {
    await using node = await TestNode.create();
    const runtimeConfig = { bandwidth: { ingressRate: 1e7, ingressBurst: 2_147_483_647 } };
    const network = limitedNetwork(node, suite, {}, { runtimeConfig });
    const container = await network.container("container");
    await network.add(container);
    const [root] = await queuesOf(node, hostEnd(container));
    expect(root.options.burst).toBeGreaterThan(24_900);
    expect(root.options.burst).toBeLessThan(25_100);
    await network.check(container);
  });

  test("a burst that no packet fits is made one packet large, and said so", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, { ingressRate: 1e7, ingressBurst: 8 });
    const container = await network.container("container");
    const call = await addBandwidth(network, container);
    call.expectSuccess();
    expect(call.stderr).toContain("bandwidth: ingressBurst of 8 bits would stop packets of MTU 1500");
    expect((await queuesOf(node, hostEnd(container)))[0].options.burst).toBeGreaterThanOrEqual(1514);
    await network.check(container);
  });

  test("rates beyond 32 bits reach the kernel whole", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, { ingressRate: 80_000_000_000, egressRate: 34_359_738_360 });
    const container = await network.container("container");
    await network.add(container);
    expect((await queuesOf(node, hostEnd(container)))[0].options.rate).toBe(10_000_000_000);
    expect((await queuesOf(node, ifbOf(container)))[0].options.rate).toBe(4_294_967_295);
    await network.check(container);
  });

  // amazon-vpc-cni-k8s#1172
  test("the host's end is found where the result names no interface of the host", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const end = hostEnd(container);
    container.result.interfaces = container.result.interfaces.filter((each: Json) => each.sandbox !== undefined);
    container.result.ips = container.result.ips.map((each: Json) => ({ ...each, interface: 0 }));
    container.result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    expect(await queuesOf(node, end)).toHaveLength(2);
    (await network.checkOne(BANDWIDTH, container)).expectSuccess();
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expect(await queuesOf(node, end)).toEqual([]);
  });

  test("an interface that is no veth is refused with what it is", async () => {
    await using node = await TestNode.create();
    await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
    const network = new TestNetwork(node, "1.1.0", [
      { suite, config: { type: "macvlan", master: "uplink" } },
      { suite, config: { type: "bandwidth", ...bothWays } },
    ]);
    const container = await network.container("container");
    (await addBandwidth(network, container)).expectError(7, /eth0 has no veth peer \(it is of kind macvlan\)/);
    expect(await ifbs(node)).toEqual([]);
  });

  test("a veth whose other end is not on the host is refused, whatever has its index here", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    const elsewhere = await node.sandbox();
    await container.sandbox.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "x", "netns", elsewhere.name]);
    // A veth of the same index, and one that points back: the other end of another container's interface.
    const index = (await linkOf(container.sandbox, "eth0")).link_index;
    const inside = (await linkOf(container.sandbox, "eth0")).ifindex;
    const third = await node.sandbox();
    await node.exec([
      ...["ip", "link", "add", "decoy", "index", `${index}`, "type", "veth"],
      ...["peer", "name", "eth0", "index", `${inside}`, "netns", third.name],
    ]);
    container.result = { cniVersion: "1.1.0", interfaces: [{ name: "eth0", sandbox: container.sandbox.path }] };
    (await network.addOne(BANDWIDTH, container)).expectError(7, /veth peer with index \d+ is not in host ns/);
    expect(await queuesOf(node, "decoy")).toEqual([]);
  });

  test("a repeated ADD changes nothing, and one with other limits sets those", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, withBursts);
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const before = container.result;
    container.result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    const state = await snapshot(node);
    const again = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    expect(again).toEqual(container.result);
    expectSame(await snapshot(node), state);
    container.result = before;
    const partial = limitedNetwork(node, suite, { ...withBursts, unshapedSubnets: ["10.0.0.0/8", "fd00::/8"] });
    for (const other of [limitedNetwork(node, suite, bothWays), partial, partial, network]) {
      container.result = before;
      container.result = (await other.addOne(BANDWIDTH, container)).expectSuccess();
      await other.check(container);
    }
    expectSame(await snapshot(node), state);
    await network.del(container);
    expect(await ifbs(node)).toEqual([]);
  });

  test.each([
    ["the direction from the container", { ingressRate: 1e7 }, ["tbf"], 0],
    ["the direction to the container", { egressRate: 2e7 }, ["ingress"], 1],
    ["both directions", {}, [], 0],
  ])("a repeated ADD that limits %s no more lifts that limit", async (_, config, kinds, devices) => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const before = container.result;
    (await network.addOne(BANDWIDTH, container)).expectSuccess();
    const fewer = limitedNetwork(node, suite, config);
    container.result = before;
    container.result = (await fewer.addOne(BANDWIDTH, container)).expectSuccess();
    expect((await queuesOf(node, hostEnd(container))).map((each) => each.kind)).toEqual(kinds);
    expect(await ifbs(node)).toHaveLength(devices);
    await fewer.check(container);
    await fewer.del(container);
  });

  test("latency reaches the kernel: it is the time that packets may wait", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, { ...withBursts, latency: 50 });
    const container = await network.container("container");
    await network.add(container);
    for (const link of [hostEnd(container), ifbOf(container)]) {
      const [root] = await queuesOf(node, link);
      expect(Math.round(root.options.lat / 1000), link).toBe(50);
    }
    await network.check(container);
    const other = limitedNetwork(node, suite, { ...withBursts, latency: 25 });
    (await other.checkOne(BANDWIDTH, container)).expectError(102, /has another limit/);
  });

  test("behind ptp: both directions, CHECK, and nothing is left", async () => {
    await using node = await TestNode.create();
    const network = new TestNetwork(node, "1.1.0", [
      { suite, config: { type: "ptp", ipam: dual } },
      { suite, config: { type: "bandwidth", ...bothWays } },
    ]);
    const before = await snapshot(node);
    const container = await network.container("container");
    await network.add(container);
    const [root, ingress] = await queuesOf(node, hostEnd(container));
    expect(root).toMatchObject({ ...tbf, options: { rate: 1_250_000 } });
    expect(ingress).toMatchObject({ kind: "ingress", handle: "ffff:" });
    expect(await queuesOf(node, ifbOf(container))).toMatchObject([{ ...tbf, options: { rate: 2_500_000 } }]);
    await network.check(container);
    await network.del(container);
    const lasting = (line: string): boolean => !/sysctl|forward|file:/.test(line);
    expect((await snapshot(node)).lines.filter(lasting)).toEqual(before.lines.filter(lasting));
  });

  test("a second limited interface of a container on the same network has an ifb device of its own", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const one = await network.container("container", "eth0");
    const two = await network.container("container", "eth1", one.sandbox);
    await network.add(one);
    await network.add(two);
    expect(ifbOf(one)).not.toBe(ifbOf(two));
    await network.check(one);
    await network.check(two);
    await network.del(one);
    expect(await ifbs(node)).toEqual([ifbOf(two)]);
    await network.check(two);
    await network.del(two);
    expect(await ifbs(node)).toEqual([]);
  });

  test("an ADD that fails leaves no device and no queue, and says whose queue is in the way", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const end = hostEnd(container);
    await node.exec(["tc", "qdisc", "add", "dev", end, "clsact"]);
    const before = await snapshot(node);
    (await network.addOne(BANDWIDTH, container)).expectError(101, /has a queue of kind clsact with filters already/);
    expectSame(await snapshot(node), before);
    await node.exec(["tc", "qdisc", "delete", "dev", end, "clsact"]);
    await node.exec(["tc", "qdisc", "add", "dev", end, "root", "handle", "7:", "bfifo", "limit", "9000"]);
    const queued = await snapshot(node);
    (await network.addOne(BANDWIDTH, container)).expectError(101, new RegExp(`${end}: it has a queue of kind bfifo`));
    expectSame(await snapshot(node), queued);
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expectSame(await snapshot(node), queued, "DEL leaves what is others'");
  });

  const policing = "protocol ip prio 5 u32 match ip protocol 17 0xff flowid 7:7";
  test("filters of others on the ingress queue: ADD is refused, and DEL leaves them and takes its own", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const end = hostEnd(container);
    const before = container.result;
    await node.exec(["tc", "qdisc", "add", "dev", end, "ingress"]);
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expect(await queuesOf(node, end), "a queue without filters").toHaveLength(1);
    await node.exec(["tc", "filter", "add", "dev", end, "parent", "ffff:", ...policing.split(" ")]);
    // The kernel numbers tables of filters as they come.
    const filters = async (): Promise<string> => (await filtersOf(node, end)).replaceAll(/\b80[01]\b/g, "TABLE");
    const others = await filters();
    (await network.addOne(BANDWIDTH, container)).expectError(101, /has a queue of kind ingress with filters already/);
    expect(await filters()).toBe(others);
    await node.exec(["tc", "qdisc", "delete", "dev", end, "ingress"]);
    container.result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    await node.exec(["tc", "filter", "add", "dev", end, "parent", "ffff:", ...policing.split(" ")]);
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expect(await filters()).toBe(others);
    expect(await ifbs(node)).toEqual([]);
    container.result = before;
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expect(await filters()).toBe(others);
  });

  test("a late DEL of a stale container leaves the limits of the one that is in its namespace now", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    const stale = await network.container("stale", "eth0", container.sandbox);
    await network.add(container);
    stale.result = container.result;
    (await network.delOne(BANDWIDTH, stale)).expectSuccess();
    await network.check(container);
  });

  test("DEL takes the queues from the host's end, and can be repeated", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, { ...bothWays, shapedSubnets: ["10.0.0.0/8"] });
    const container = await network.container("container");
    await network.add(container, BANDWIDTH);
    const before = await snapshot(node);
    container.result = (await network.addOne(BANDWIDTH, container)).expectSuccess();
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    expectSame(await snapshot(node), before);
    (await network.delOne(BANDWIDTH, container)).expectSuccess();
    await network.del(container);
  });

  test("DEL needs neither namespace nor prevResult, nor a configuration that is good", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const [one, two, three] = [
      await network.container("one"),
      await network.container("two"),
      await network.container("three"),
    ];
    for (const each of [one, two, three]) await network.add(each);
    (await network.delOne(BANDWIDTH, one, { netns: undefined })).expectSuccess();
    expect(await queuesOf(node, hostEnd(one)), "found by what prevResult names").toEqual([]);
    await two.sandbox.remove();
    (await network.call(BANDWIDTH, "DEL", two, { prevResult: undefined })).expectSuccess();
    const bad = { prevResult: three.result, ingressBurst: -1, egressRate: "x" };
    const call = await network.call(BANDWIDTH, "DEL", three, bad);
    call.expectSuccess();
    expect(call.stderr).toContain("ignored in the configuration: ingressBurst: -1 is out of range");
    expect(await ifbs(node)).toEqual([]);
  });

  test("GC removes the devices of this network's dead, and no others", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const other = limitedNetwork(node, suite, bothWays, { name: "othernet" });
    const [dead, alive] = [await network.container("dead"), await network.container("alive")];
    const others = await other.container("dead");
    for (const each of [dead, alive]) await network.add(each);
    await other.add(others);
    await node.exec(["ip", "link", "add", "bwp0123456789ab", "type", "ifb"]);
    await dead.sandbox.remove();
    await network.gc([alive]);
    expect((await ifbs(node)).toSorted()).toEqual([ifbOf(alive), ifbOf(others), "bwp0123456789ab"].toSorted());
    await network.check(alive);
  });

  const drifts: readonly (readonly [what: string, words: RegExp, damage: (end: string, ifb: string) => string])[] = [
    ["the limit to the container", /has no limit/, (end) => `tc qdisc delete dev ${end} root`],
    ["the limit of the ifb device", /has no limit/, (_, ifb) => `tc qdisc delete dev ${ifb} root`],
    [
      "another rate",
      /has another limit: 8000000 bits\/s/,
      (end) => `tc qdisc change dev ${end} root handle 1: tbf rate 8mbit burst 25k latency 25ms`,
    ],
    ["the ingress queue", /has no ingress queue/, (end) => `tc qdisc delete dev ${end} ingress`],
    ["the filter", /filters of veth\w+ are not as ADD left them/, (end) => `tc filter delete dev ${end} parent ffff:`],
    ["the ifb device", /ifb device of container container .* is missing/, (_, ifb) => `ip link delete ${ifb}`],
    ["that the ifb device is up", /bwp\w+ is down/, (_, ifb) => `ip link set ${ifb} down`],
    [
      "that packets are redirected elsewhere",
      /filters of veth\w+ are not as ADD left them/,
      (end, ifb) =>
        `ip link delete ${ifb} && ip link add ${ifb} type ifb && ip link set ${ifb} up && tc qdisc add dev ${ifb} root handle 1: tbf rate 20mbit burst 50000 limit 112500 && tc qdisc show dev ${end}`,
    ],
  ];
  test.each(drifts)("CHECK misses %s", async (_, words, damage) => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, bothWays);
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    await node.exec(["sh", "-c", damage(hostEnd(container), ifbOf(container))]);
    (await network.checkOne(BANDWIDTH, container)).expectError(102, words);
  });

  test("CHECK misses a subnet's filter, in either direction", async () => {
    await using node = await TestNode.create();
    const network = limitedNetwork(node, suite, { ...bothWays, unshapedSubnets: ["10.0.0.0/8", "2001:db8::/32"] });
    for (const [parent, priority] of [
      ["1:", "2"],
      ["ffff:", "1"],
    ]) {
      const container = await network.container(`container${priority}`);
      await network.add(container);
      await network.check(container);
      const end = hostEnd(container);
      await node.exec(["sh", "-c", `tc filter delete dev ${end} parent ${parent} prio ${priority}`]);
      (await network.checkOne(BANDWIDTH, container)).expectError(102, /filters of veth\w+ are not as ADD left them/);
    }
  });

  test("STATUS is well where the kernel has all that is needed", async () => {
    await using node = await TestNode.create();
    const before = await snapshot(node);
    for (const more of [{}, { shapedSubnets: ["10.0.0.0/8"] }]) {
      const config = { cniVersion: "1.1.0", name: "testnet", type: "bandwidth", ...bothWays, ...more };
      (await callPlugin(node, suite, "bandwidth", "STATUS", config)).expectSuccess();
    }
    expectSame(await snapshot(node), before);
  });

  // The order in which STATUS asks.
  test.skipIf(listed !== "").each([
    { asked: 1, errno: "EOPNOTSUPP", more: {}, kind: "ifb", module: "ifb" },
    { asked: 3, errno: "ENOENT", more: {}, kind: "tbf", module: "sch_tbf" },
    { asked: 4, errno: "ENOENT", more: { shapedSubnets: ["10.0.0.0/8"] }, kind: "htb", module: "sch_htb" },
  ])(`STATUS fails with 50 where the kernel has no $kind${listed}`, async ({ asked, errno, more, kind, module }) => {
    await using node = await TestNode.create();
    const before = await snapshot(node);
    const config = { cniVersion: "1.1.0", name: "testnet", type: "bandwidth", ...bothWays, ...more };
    const wrapper = inject({ kind: "error", call: "sendto", errno }, asked, followedFor(suite));
    const words = new RegExp(`this kernel has no ${kind}\\ninstall its kernel module ${module}, or`);
    (await callPlugin(node, suite, "bandwidth", "STATUS", config, { wrapper })).expectError(50, words);
    expectSame(await snapshot(node), before);
  });
});
