/** The port and the container's end: hardware addresses, MTU, hairpin, isolation, promiscuity, announcements, layer 2 alone. */
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import {
  addressesOn,
  answers,
  bridgeNetwork,
  dual,
  expectAnswer,
  expectMacSet,
  fixed,
  four,
  linkOf,
} from "../helpers/interface-network.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

/** The host's end, by the container's. */
async function portOf(node: TestNode, container: TestAttachment): Promise<Json> {
  const index = (await linkOf(container.sandbox, container.ifName)).link_index;
  const links = await node.ip("-d", "link");
  return links.find((each) => each["ifindex"] === index);
}

/** What comes back to a container of the frames it broadcasts. */
async function echoes(node: TestNode, suite: Suite, hairpinMode: boolean): Promise<string[]> {
  const network = bridgeNetwork(node, suite, { hairpinMode, isGateway: true, ipam: four });
  const container = await network.container("container");
  const result = await network.add(container);
  const capture = await Capture.start(node, container.sandbox, "eth0", "arp", true);
  // Nobody has this address: the question for it goes to everybody.
  await answers(container.sandbox, "10.22.0.200");
  const own = result.interfaces[2].mac;
  const frames = await capture.stop();
  return frames.filter((line) => line.startsWith(own) && line.includes("who-has 10.22.0.200"));
}

describe.each(engines)("$name", (engine) => {
  test("with hairpinMode a frame leaves by the port it came in by, without it does not", async () => {
    await using with_ = await TestNode.create();
    expect((await echoes(with_, engine, true)).length).toBeGreaterThan(0);
    await using without = await TestNode.create();
    expect(await echoes(without, engine, false)).toEqual([]);
  });

  test("the port has no addresses of its own, not even where the host forwards IPv6", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: dual });
    const one = await network.container("one");
    await network.add(one);
    await expectAnswer(one.sandbox, "2001:db8:22::1");
    const port = (await portOf(node, one)).ifname;
    expect((await node.ip("address", "show", "dev", port))[0]?.["addr_info"]).toEqual([]);
    const anycast = await node.exec(["cat", "/proc/net/anycast6"]);
    expect(anycast.split("\n").filter((line) => line.includes(port))).toEqual([]);
  });

  test("isolated containers reach the gateway and not each other", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { portIsolation: true, isGateway: true, ipam: dual });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    expect((await portOf(node, one)).linkinfo.info_slave_data.isolated).toBe(true);
    await expectAnswer(one.sandbox, "10.22.0.1");
    await expectAnswer(two.sandbox, "2001:db8:22::1");
    expect(await answers(one.sandbox, "10.22.0.3")).toBe(false);
    expect(await answers(two.sandbox, "2001:db8:22::2")).toBe(false);
    await network.check(one);
  });

  test("with promiscMode the bridge is promiscuous, and a datagram arrives once", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { promiscMode: true, isGateway: true, ipam: four });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    expect((await linkOf(node, "cni0")).flags).toContain("PROMISC");
    const capture = await Capture.start(node, two.sandbox, "eth0", "icmp[icmptype] == icmp-echo", true);
    await one.sandbox.exec(["ping", "-c", "3", "-i", "0.05", "10.22.0.3"]);
    expect((await capture.stop()).length).toBe(3);
    await network.check(one);
  });

  test("runtimeConfig.mac beats args.cni.mac, which beats CNI_ARGS", async () => {
    await using node = await TestNode.create();
    const args = { cni: { mac: "02:00:00:00:00:02" } };
    const rows = [
      { config: {}, mac: "02:00:00:00:00:01" },
      { config: { args }, mac: "02:00:00:00:00:02" },
      { config: { args, RuntimeConfig: { mac: "02-00-00-00-00-0A" } }, mac: "02:00:00:00:00:0a" },
    ];
    for (const [index, { config, mac }] of rows.entries()) {
      const own = { type: "bridge", bridge: "cni0", ...config };
      const cniArgs = "MAC=02:00:00:00:00:01;IgnoreUnknown=1;K8S_POD_NAME=x";
      const network = new TestNetwork(node, "1.0.0", [{ suite: engine, config: own, args: cniArgs }]);
      const container = await network.container(`container-${index}`);
      const result = await network.add(container);
      expect(result.interfaces[2].mac).toBe(mac);
      expect((await linkOf(container.sandbox, "eth0")).address).toBe(mac);
      await network.check(container);
    }
  });

  test("the bridge's hardware address does not change while fifty ports come and go", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine);
    const sandbox = await node.sandbox();
    const seen = new Set<string>();
    const containers: TestAttachment[] = [];
    for (let count = 0; count < 50; count++) {
      const container = await network.container("container", `eth${count}`, sandbox);
      const result = await network.add(container);
      seen.add(result.interfaces[0].mac);
      containers.push(container);
    }
    for (const container of containers.slice(0, 25)) await network.del(container);
    seen.add((await linkOf(node, "cni0")).address);
    expect([...seen].length).toBe(1);
  });

  test("nobody is tempted to change the hardware addresses of bridge and port: they were set, not left to chance (udev's policy)", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam: four });
    const container = await network.container("container");
    await network.add(container);
    for (const link of ["cni0", (await portOf(node, container)).ifname]) await expectMacSet(node, link);
  });

  test("neighbours are told whose the addresses are, over both families, once the bridge forwards", async () => {
    await using node = await TestNode.create();
    const ipam = fixed({ address: "10.22.0.9/24", gateway: "10.22.0.1" }, { address: "2001:db8:22::9/64" });
    const network = bridgeNetwork(node, engine, { isGateway: true, ipam });
    const watching = bridgeNetwork(node, engine, { isGateway: true, ipam: four }, "watching");
    const watcher = await watching.container("watcher");
    await watching.add(watcher);
    const first = await network.container("first");
    await network.add(first);
    await expectAnswer(watcher.sandbox, "10.22.0.9");
    await network.del(first);
    const filter = "arp or icmp6[icmp6type] == icmp6-neighboradvert";
    const capture = await Capture.start(node, watcher.sandbox, "eth0", filter, true);
    const second = await network.container("second");
    const mac = (await network.add(second)).interfaces[2].mac;
    await capture.waitFor(new RegExp(`${mac} > ff:ff:ff:ff:ff:ff.*who-has 10.22.0.9 tell 10.22.0.9`));
    await capture.waitFor(new RegExp(`${mac} > 33:33:00:00:00:01.* tgt is 2001:db8:22::9`));
    await capture.stop();
    const [neighbour] = await watcher.sandbox.ip("neighbour", "show", "10.22.0.9");
    expect(neighbour?.["lladdr"], "a neighbour that knew the address has the new owner").toBe(mac);
  });

  test("with enabledad an IPv6 address that somebody has is refused, and nothing is left", async () => {
    await using node = await TestNode.create();
    const ipam = fixed({ address: "2001:db8:22::9/64", gateway: "2001:db8:22::1" });
    const network = bridgeNetwork(node, engine, { enabledad: true, isGateway: true, ipam });
    const one = await network.container("one");
    await network.add(one);
    expect(await one.sandbox.exec(["cat", "/proc/sys/net/ipv6/conf/eth0/accept_dad"])).toBe("1\n");
    const two = await network.container("two");
    const before = await snapshot(node, { sandboxes: [two.sandbox] });
    (await network.addOne(0, two)).expectError(101, /2001:db8:22::9.*used by another host/);
    expectSame(await snapshot(node, { sandboxes: [two.sandbox] }), before);
  });

  test("mtu is that of both ends and of a new bridge", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { mtu: 1400 });
    const container = await network.container("container");
    const result = await network.add(container);
    expect(result.interfaces.map((each: Json) => each.mtu)).toEqual([1400, 1400, 1400]);
    expect((await linkOf(node, "cni0")).mtu).toBe(1400);
    expect((await linkOf(container.sandbox, "eth0")).mtu).toBe(1400);
    expect((await portOf(node, container)).mtu).toBe(1400);
  });

  test("an mtu that no veth can have is refused before anything is done", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { mtu: 70000, ipam: four });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(7, /mtu: 70000 is out of range/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("without IPAM the container's end is up, without addresses, and frames pass", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipMasq: true, ipam: {} });
    const one = await network.container("one");
    const two = await network.container("two");
    const result = await network.add(one);
    expect(result.ips ?? []).toEqual([]);
    await network.add(two);
    await one.sandbox.exec(["ip", "address", "add", "198.51.100.1/24", "dev", "eth0"]);
    await two.sandbox.exec(["ip", "address", "add", "198.51.100.2/24", "dev", "eth0"]);
    await expectAnswer(one.sandbox, "198.51.100.2");
    await network.check(one);
    expect(await addressesOn(node, "cni0")).toEqual([]);
  });

  test("disableContainerInterface leaves the container's end down, and excludes ipam", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { disableContainerInterface: true });
    const container = await network.container("container");
    await network.add(container);
    expect((await linkOf(container.sandbox, "eth0")).flags).not.toContain("UP");
    expect((await portOf(node, container)).master).toBe("cni0");
    await network.check(container);
    (await network.addOne(0, container)).expectError(101);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
    const wrong = bridgeNetwork(node, engine, { disableContainerInterface: true, ipam: four });
    (await wrong.addOne(0, container)).expectError(7, /cannot use IPAM when DisableContainerInterface flag is set/);
  });

  const dnsRows = [
    { what: "no dns keeps IPAM's", dns: undefined, expected: { nameservers: ["192.0.2.53"], search: ["a.example"] } },
    { what: "any key replaces all of it", dns: { domain: "b.example" }, expected: { domain: "b.example" } },
    { what: "an empty list counts", dns: { nameservers: [] }, expected: {} },
    { what: "an empty dns does not", dns: {}, expected: { nameservers: ["192.0.2.53"], search: ["a.example"] } },
  ];
  test.each(dnsRows)("dns: $what", async ({ dns, expected }) => {
    await using node = await TestNode.create();
    const file = `${node.directory}/resolv.conf`;
    await node.exec(["sh", "-c", `printf 'nameserver 192.0.2.53\\nsearch a.example\\n' > ${file}`]);
    const config = { ipam: { ...four, resolvConf: file }, ...(dns === undefined ? {} : { dns }) };
    const network = bridgeNetwork(node, engine, config);
    expect((await network.add(await network.container("container"))).dns ?? {}).toEqual(expected);
  });
});
