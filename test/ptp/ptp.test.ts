/** ptp: the link, its routes, what it carries, and what of it is refused, checked and removed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import {
  addressesOn,
  dual,
  expectAnswer,
  expectLifeWithoutIpv6,
  expectMacSet,
  fixed,
  four,
  linkOf,
  ptpNetwork,
} from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { advertiseUntil, believesAdvertisement } from "../helpers/router-advertisement.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const missing = referenceMissing();
const withRoutes = { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] };

describe.each(engines)("$name", (engine) => {
  test("everything leads through the gateway, which is the host's end", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: withRoutes });
    const container = await network.container("container");
    const result = await network.add(container);
    const routes = await container.sandbox.exec(["ip", "-4", "route"]);
    expect(routes.trim().split(/ *\n/)).toEqual([
      "default via 10.22.0.1 dev eth0",
      "10.22.0.0/24 via 10.22.0.1 dev eth0 src 10.22.0.2",
      "10.22.0.1 dev eth0 scope link src 10.22.0.2",
    ]);
    const routes6 = await container.sandbox.exec(["ip", "-6", "route"]);
    const own = routes6.split("\n").filter((line) => /^(2001|default)/.test(line));
    expect(own.map((line) => line.replace(/ metric 1024 pref medium$/, ""))).toEqual([
      "2001:db8:22::1 dev eth0 src 2001:db8:22::2",
      "2001:db8:22::/64 via 2001:db8:22::1 dev eth0 src 2001:db8:22::2",
      "default via 2001:db8:22::1 dev eth0",
    ]);
    const end = result.interfaces[0].name;
    expect(await addressesOn(node, end)).toEqual(["10.22.0.1/32", "2001:db8:22::1/128"]);
    expect(await node.exec(["ip", "route", "show", "dev", end])).toMatch(/^10\.22\.0\.2 scope host/);
    expect(await node.exec(["ip", "-6", "route", "show", "dev", end])).toMatch(/^2001:db8:22::2 /m);
    expect(result.interfaces.map((each: Json) => each.name)).toEqual([end, "eth0"]);
    expect(result.interfaces[0].mac).toBe((await linkOf(node, end)).address);
    expect(result.interfaces[1].mac).toBe((await linkOf(container.sandbox, "eth0")).address);
    expect(result.ips.map((each: Json) => each.interface)).toEqual([1, 1]);
    expect(result.routes, "as IPAM gave them").toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0" }]);
    await expectAnswer(container.sandbox, "10.22.0.1");
    await expectAnswer(container.sandbox, "2001:db8:22::1");
    await network.check(container);
    (await network.call(0, "STATUS")).expectSuccess();
  });

  test("two containers reach each other through the host, and ask for nobody's hardware address but the gateway's", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: withRoutes });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    const capture = await Capture.start(node, one.sandbox, "eth0", "arp[6:2] == 1 and not arp host 10.22.0.1");
    await expectAnswer(one.sandbox, "10.22.0.3");
    await expectAnswer(two.sandbox, "2001:db8:22::2");
    expect(await capture.stop()).toEqual([]);
  });

  test("addresses of one subnet share gateway and routes", async () => {
    await using node = await TestNode.create();
    const gateway = "2001:db8:22::1";
    const ipam = fixed(
      { address: "10.22.0.5/24", gateway: "10.22.0.1" },
      { address: "2001:db8:22::5/64", gateway },
      { address: "2001:db8:22::6/64", gateway },
    );
    const network = ptpNetwork(node, engine, { ipam });
    const container = await network.container("container");
    await network.add(container);
    await expectAnswer(container.sandbox, gateway);
    await expectAnswer(node, "2001:db8:22::6");
    await network.check(container);
    await network.del(container);
    expect((await node.ip("link")).length).toBe(1);
  });

  test("mtu is that of both ends", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { mtu: 5000, ipam: four });
    const container = await network.container("container");
    const result = await network.add(container);
    expect((await linkOf(container.sandbox, "eth0")).mtu).toBe(5000);
    expect((await linkOf(node, result.interfaces[0].name)).mtu).toBe(5000);
    expect(result.interfaces.map((each: Json) => each.mtu)).toEqual([5000, 5000]);
  });

  test.each(["nftables", "iptables"])(
    "ipMasq: a host without a route to the container answers it (%s)",
    async (backend) => {
      await using node = await TestNode.create();
      const outside = await node.outside();
      const network = ptpNetwork(node, engine, { ipMasq: true, ipMasqBackend: backend, ipam: withRoutes });
      const container = await network.container("container");
      await network.add(container);
      const capture = await Capture.start(node, outside.namespace, "eth0", "icmp[icmptype] == icmp-echo", true);
      await expectAnswer(container.sandbox, outside.address4);
      await expectAnswer(container.sandbox, outside.address6);
      expect((await capture.stop()).join()).toContain(`${outside.nodeAddress4} > ${outside.address4}`);
      await network.check(container);
      await container.sandbox.remove();
      await network.del(container);
      expect(await node.exec(["nft", "list", "ruleset"])).not.toMatch(/10\.22\.0\.2|CNI-/);
    },
  );

  test("an IPAM result without gateway is refused, and nothing is left", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: fixed({ address: "10.22.0.5/24" }) });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(7, /10\.22\.0\.5\/24 has no gateway/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("the container's gateway keeps its hardware address: it was set, not left to chance (udev's policy)", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: withRoutes });
    const container = await network.container("container");
    const result = await network.add(container);
    await expectMacSet(node, result.interfaces[0].name);
  });

  test("without ipam it is refused by ADD and STATUS, while DEL goes through", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine);
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(7, /no plugin name provided/);
    (await network.call(0, "STATUS")).expectError(7, /no plugin name provided/);
    await network.del(container);
  });

  test("an IPv6 address is usable at once, and nothing sleeps", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: withRoutes });
    const container = await network.container("container");
    const file = join(node.directory, "trace");
    const call = await network.addOne(0, container, {
      wrapper: ["strace", "-f", "-qqq", "-o", file, "-e", "trace=nanosleep,clock_nanosleep,poll,ppoll,select"],
    });
    call.expectSuccess();
    if (engine.name === "native") expect(await readFile(file, "utf8")).not.toMatch(/sleep|poll|select/);
    // Bun's own threads sleep; that there was nothing to wait for is seen of the address.
    const addresses = await container.sandbox.exec(["ip", "-6", "address", "show", "scope", "global"]);
    expect(addresses).toMatch(/nodad/);
    expect(addresses).not.toMatch(/tentative/);
  });

  test("a container's router advertisements are not believed by the host (CVE-2020-10749)", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipam: four });
    const rogue = await network.container("rogue");
    const end = (await network.add(rogue)).interfaces[0].name;
    // Forwarding alone would make the host deaf to them: an ADD that does not forward IPv6 is the dangerous one.
    expect(await node.exec(["cat", "/proc/sys/net/ipv6/conf/all/forwarding"])).toBe("0\n");
    const capture = await Capture.start(node, node, end, "icmp6[icmp6type] == icmp6-routeradvert", true);
    await advertiseUntil(() => capture.frames.length > 0, rogue.sandbox, "eth0");
    await capture.stop();
    expect(await believesAdvertisement(node)).toBe(false);
  });

  const sabotages = [
    {
      what: "the container's address",
      where: "sandbox",
      command: "ip addr del 10.22.0.2/24 dev eth0",
      named: /address 10\.22\.0\.2\/24/,
    },
    {
      what: "IPAM's route",
      where: "sandbox",
      command: "ip route del default",
      named: /route 0\.0\.0\.0\/0 via 10\.22\.0\.1/,
    },
    {
      what: "the gateway's route",
      where: "sandbox",
      command: "ip route del 10.22.0.1 dev eth0",
      named: /route 10\.22\.0\.1\/32 dev eth0/,
    },
    {
      what: "the host's route",
      where: "node",
      command: "ip route del 10.22.0.2 dev $end",
      named: /route 10\.22\.0\.2\/32 dev veth\w+ is missing on the host/,
    },
    {
      what: "the gateway's address",
      where: "node",
      command: "ip addr del 10.22.0.1/32 dev $end",
      named: /gateway address 10\.22\.0\.1 is missing/,
    },
    {
      what: "forwarding",
      where: "node",
      command: "sysctl -qw net.ipv4.ip_forward=0",
      named: /net\.ipv4\.ip_forward is 0/,
    },
    { what: "the host's end, being down,", where: "node", command: "ip link set $end down", named: /is down/ },
    { what: "masquerading", where: "node", command: "nft flush ruleset", named: /not masqueraded/ },
    { what: "the interface", where: "node", command: "ip link del $end", named: /interface eth0 is missing/ },
  ];
  test.each(sabotages)("CHECK misses $what", async ({ where, command, named }) => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipMasq: true, ipam: withRoutes });
    const container = await network.container("container");
    const result = await network.add(container);
    await network.check(container);
    const place = where === "node" ? node : container.sandbox;
    await place.exec(["sh", "-c", command.replaceAll("$end", result.interfaces[0].name)]);
    (await network.checkOne(0, container)).expectError(102, named);
  });

  test.skipIf(missing !== undefined)("CHECK passes for what the reference suite has set up", async () => {
    await using node = await TestNode.create();
    const config = { ipMasq: true, ipam: withRoutes };
    const theirs = ptpNetwork(node, reference, config);
    const container = await theirs.container("container");
    await theirs.add(container);
    await ptpNetwork(node, engine, config).check(container);
  });

  test("a repeated ADD is refused with code 101 and disturbs nothing", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipMasq: true, ipam: withRoutes });
    const container = await network.container("container");
    await network.add(container);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.call(0, "ADD", container)).expectError(101, /"eth0".* already exists/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("with IPv6 switched off, an IPv4 network works whole", async () => {
    await using node = await TestNode.create();
    const network = ptpNetwork(node, engine, { ipMasq: true, ipam: four });
    await expectLifeWithoutIpv6(network);
    expect((await node.ip("link")).length).toBe(1);
  });

  const dnsRows = [
    { what: "no dns keeps IPAM's", dns: undefined, expected: { nameservers: ["192.0.2.53"], search: ["a.example"] } },
    { what: "any key replaces all of it", dns: { domain: "b.example" }, expected: { domain: "b.example" } },
    { what: "an empty list counts", dns: { search: [] }, expected: {} },
  ];
  test.each(dnsRows)("dns: $what", async ({ dns, expected }) => {
    await using node = await TestNode.create();
    const own = { nameservers: ["192.0.2.53"], search: ["a.example"] };
    const ipam = { ...fixed({ address: "10.22.0.5/24", gateway: "10.22.0.1" }), dns: own };
    const network = ptpNetwork(node, engine, { ipam, ...(dns === undefined ? {} : { dns }) });
    expect((await network.add(await network.container("container"))).dns ?? {}).toEqual(expected);
  });
});
