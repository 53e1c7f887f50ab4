/** macvlan: the link, what it carries and announces, and what of it is refused, checked and removed. */
import { describe, expect, test } from "vitest";
import { Capture } from "../helpers/capture.ts";
import { engines, reference, referenceMissing } from "../helpers/engines.ts";
import { addressesOn, answers, expectAnswer, fixed, linkOf } from "../helpers/interface-network.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";
import { advertiseUntil } from "../helpers/router-advertisement.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { macvlanNetwork, onSegment, onSegmentBoth } from "./segment.ts";

const missing = referenceMissing();

describe.each(engines)("$name", (engine) => {
  test("containers reach each other and the segment's hosts, in both families", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegmentBoth });
    const one = await network.container("one");
    const two = await network.container("two");
    const result = await network.add(one);
    await network.add(two);
    expect(await addressesOn(one.sandbox, "eth0")).toEqual(["192.0.2.10/24", "2001:db8:ffff::10/64"]);
    const link = await linkOf(one.sandbox, "eth0");
    expect(link.linkinfo).toMatchObject({ info_kind: "macvlan", info_data: { mode: "bridge" } });
    expect(result.interfaces).toEqual([{ name: "eth0", mac: link.address, mtu: 1500, sandbox: one.sandbox.path }]);
    expect(result.ips.map((each: Json) => each.interface)).toEqual([0, 0]);
    for (const target of ["192.0.2.11", "2001:db8:ffff::11", "192.0.2.2", "2001:db8:ffff::2"])
      await expectAnswer(one.sandbox, target);
    for (const target of ["192.0.2.10", "2001:db8:ffff::11"]) await expectAnswer(outside, target);
    await network.check(one);
    (await network.call(0, "STATUS")).expectSuccess();
  });

  // vepa leaves it to the switch to send frames back, which a wire does not.
  test.each(["private", "vepa"])("%s: containers reach the segment's hosts and not each other", async (mode) => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { mode, ipam: onSegment });
    const one = await network.container("one");
    const two = await network.container("two");
    await network.add(one);
    await network.add(two);
    await expectAnswer(one.sandbox, "192.0.2.2");
    await expectAnswer(two.sandbox, "192.0.2.2");
    expect(await answers(one.sandbox, "192.0.2.11")).toBe(false);
    await network.check(one);
  });

  test("passthru: the one container has the parent's hardware address, and a second is refused with the reason", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const network = macvlanNetwork(node, engine, { mode: "passthru", ipam: onSegment });
    const one = await network.container("one");
    const result = await network.add(one);
    expect(result.interfaces[0].mac).toBe((await linkOf(node, "uplink")).address);
    await expectAnswer(outside, "192.0.2.10");
    const two = await network.container("two");
    (await network.addOne(0, two)).expectError(5, /macvlan on uplink.*passthru shares its parent with nobody/s);
    expect(await two.sandbox.hasLink("eth0")).toBe(false);
    await network.check(one);
    await network.del(one);
    await network.add(two);
  });

  test("the neighbours are told of the addresses: gratuitous ARP and unsolicited neighbour advertisement", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegmentBoth });
    const former = await network.container("former");
    await network.add(former);
    await expectAnswer(outside, "192.0.2.10");
    await expectAnswer(outside, "2001:db8:ffff::10");
    await network.del(former);
    const filter = "(arp and src host 192.0.2.10) or (icmp6[icmp6type] == icmp6-neighboradvert)";
    const capture = await Capture.start(node, outside, "eth0", filter, true);
    // The same addresses, another hardware address.
    const fixedAddresses = fixed({ address: "192.0.2.10/24" }, { address: "2001:db8:ffff::10/64" });
    const next = macvlanNetwork(node, engine, { ipam: fixedAddresses });
    const container = await next.container("next");
    const mac = (await next.add(container)).interfaces[0].mac;
    // As the interface comes up, and once more when all is done.
    const twice = (frame: string): RegExp => new RegExp(`(?:${frame}[^]*){2}`);
    await capture.waitFor(twice(`${mac} > ff:ff:ff:ff:ff:ff.*who-has 192\\.0\\.2\\.10 .*tell 192\\.0\\.2\\.10`));
    await capture.waitFor(twice(`${mac} > 33:33:00:00:00:01.*neighbor advertisement, tgt is 2001:db8:ffff::10`));
    const frames = (await capture.stop()).join("\n");
    expect(frames).toMatch(new RegExp(`${mac} > ff:ff:ff:ff:ff:ff.*who-has 192\\.0\\.2\\.10 .*tell 192\\.0\\.2\\.10`));
    expect(frames).toMatch(new RegExp(`${mac} > 33:33:00:00:00:01.*neighbor advertisement, tgt is 2001:db8:ffff::10`));
    // The neighbour that knew the former owner reaches the new one at its first try.
    for (const target of ["192.0.2.10", "2001:db8:ffff::10"]) await expectAnswer(outside, target);
  });

  test("a host that has an interface of the container's name keeps it, and the container gets one", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other"]);
    const before = await linkOf(node, "eth0");
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    expect(await linkOf(node, "eth0")).toEqual(before);
    expect((await linkOf(container.sandbox, "eth0")).linkinfo.info_kind).toBe("macvlan");
    await expectAnswer(container.sandbox, "192.0.2.2");
    await network.check(container);
    await network.del(container);
    expect(await linkOf(node, "eth0")).toEqual(before);
  });

  test("the parent may be called as the container's interface is to be", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "set", "uplink", "down"]);
    await node.exec(["ip", "link", "set", "uplink", "name", "eth0"]);
    await node.exec(["ip", "link", "set", "eth0", "up"]);
    const network = macvlanNetwork(node, engine, { master: "eth0", ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    await expectAnswer(container.sandbox, "192.0.2.2");
    await network.check(container);
  });

  test("IPv6 is off where no address of it was given: no link-local one, no router is believed (CVE-2024-32473)", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    const open = macvlanNetwork(node, engine, { ipam: onSegment, ipv6: "automatic" });
    const witness = await open.container("witness");
    await open.add(witness);
    const six = async (where: typeof container): Promise<string> =>
      where.sandbox.exec(["ip", "-6", "address", "show", "dev", "eth0"]);
    await advertiseUntil(async () => /2001:db8:bad:.* scope global/.test(await six(witness)), outside, "eth0");
    expect(await six(container)).toBe("");
    expect(await container.sandbox.exec(["ip", "-6", "route", "show", "dev", "eth0"])).toBe("");
  });

  test("without ipam it is a layer-2 network: up, without addresses, IPv6 as the kernel has it", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    const network = macvlanNetwork(node, engine);
    const container = await network.container("container");
    const result = await network.add(container);
    expect(result.ips ?? []).toEqual([]);
    expect((await linkOf(container.sandbox, "eth0")).flags).toContain("UP");
    expect(await container.sandbox.exec(["cat", "/proc/sys/net/ipv6/conf/eth0/disable_ipv6"])).toBe("0\n");
    await container.sandbox.exec(["ip", "address", "add", "192.0.2.50/24", "dev", "eth0"]);
    await expectAnswer(outside, "192.0.2.50");
    await network.check(container);
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test("with the parent in the container it lives and dies there", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    const ipam = fixed({ address: "198.51.100.5/24" });
    const network = macvlanNetwork(node, engine, { master: "eth0", linkInContainer: true, ipam });
    const container = await network.container("container", "net1");
    const peer = "198.51.100.9";
    await outside.namespace.exec(["ip", "address", "add", `${peer}/24`, "dev", "eth0"]);
    await node.exec(["ip", "link", "set", "uplink", "netns", container.sandbox.name, "name", "eth0"]);
    await container.sandbox.exec(["ip", "link", "set", "eth0", "up"]);
    (await network.call(0, "STATUS")).expectSuccess();
    await network.add(container);
    expect((await linkOf(container.sandbox, "net1")).link).toBe("eth0");
    await expectAnswer(container.sandbox, peer);
    await network.check(container);
    await network.del(container);
    expect(await container.sandbox.hasLink("net1")).toBe(false);
    expect(await container.sandbox.hasLink("eth0"), "the parent stays").toBe(true);
  });

  test("without master a parent in the container is the interface of its default route", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { master: undefined, linkInContainer: true });
    const container = await network.container("container", "net1");
    const missing = /no default route interface found in the container \(linkInContainer\)/;
    const error = (await network.addOne(0, container)).expectError(7, missing);
    expect(error.details).toMatch(/no interface in the container \(linkInContainer\) could be the parent/);
    await node.exec(["ip", "link", "set", "uplink", "netns", container.sandbox.name]);
    await container.sandbox.exec(["ip", "address", "add", "192.0.2.1/24", "dev", "uplink"]);
    await container.sandbox.exec(["ip", "link", "set", "uplink", "up"]);
    await container.sandbox.exec(["ip", "route", "add", "default", "via", "192.0.2.2"]);
    await network.add(container);
    expect((await linkOf(container.sandbox, "net1")).link).toBe("uplink");
  });

  test("without master the parent is the interface of the default route, also where only IPv6 has one", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { master: undefined, ipam: onSegment });
    const container = await network.container("container");
    await node.exec(["ip", "-6", "route", "add", "unreachable", "default", "metric", "10"]);
    const error = (await network.addOne(0, container)).expectError(7, /no default route interface found on the host/);
    expect(error.details).toMatch(/"master": interfaces that could be the parent: uplink/);
    (await network.call(0, "STATUS")).expectError(50, /uplink/);
    await node.exec(["ip", "-6", "route", "add", "default", "via", "2001:db8:ffff::2"]);
    (await network.call(0, "STATUS")).expectSuccess();
    await network.add(container);
    await expectAnswer(container.sandbox, "192.0.2.2");
    await network.check(container);
    await node.exec(["ip", "-6", "route", "del", "default"]);
    await network.check(container);
    await network.del(container);
  });

  test("a mac from the configuration, CNI_ARGS or the runtime: the last of them counts", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const [own, args, runtime] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
    const rows = [
      { more: {}, expected: own },
      { more: { args: `IgnoreUnknown=1;MAC=${args}` }, expected: args },
      { more: { args: `IgnoreUnknown=1;MAC=${args}`, runtimeConfig: () => ({ mac: runtime }) }, expected: runtime },
    ];
    for (const { more, expected } of rows) {
      const network = macvlanNetwork(node, engine, { mac: own, ipam: onSegment }, more);
      const container = await network.container("container");
      expect((await network.add(container)).interfaces[0].mac).toBe(expected);
      expect((await linkOf(container.sandbox, "eth0")).address).toBe(expected);
      await network.del(container);
    }
  });

  test("a hardware address that another interface on the parent has is refused, and nothing is left", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const mac = (await linkOf(node, "uplink")).address;
    const network = macvlanNetwork(node, engine, { mac, ipam: onSegment });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(101, new RegExp(`${mac} is used already: by uplink`));
    const after = await snapshot(node, { sandboxes: [container.sandbox] });
    const links = (lines: readonly string[]): string[] => lines.filter((line) => /link:|sandbox/.test(line));
    expect(links(after.lines)).toEqual(links(before.lines));
  });

  test("mtu and bcqueuelen are set; without mtu it is the parent's", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "set", "uplink", "mtu", "1450"]);
    const network = macvlanNetwork(node, engine, { mtu: 1400, bcqueuelen: 2000 });
    const container = await network.container("container");
    expect((await network.add(container)).interfaces[0].mtu).toBe(1400);
    const link = await linkOf(container.sandbox, "eth0");
    expect(link).toMatchObject({ mtu: 1400, linkinfo: { info_data: { bcqueuelen: 2000 } } });
    const plain = macvlanNetwork(node, engine);
    expect((await plain.add(await plain.container("plain"))).interfaces[0].mtu).toBe(1450);
  });

  const refusals = [
    { what: "a missing parent", config: { master: "nowhere" }, code: 7, text: /Link not found.*"nowhere".*uplink/s },
    { what: "the loopback interface", config: { master: "lo" }, code: 7, text: /"lo" \(master\) is the loopback/ },
    {
      what: "a bridge's port",
      config: { master: "port" },
      code: 7,
      text: /"port" \(master\) is a port of bridge .*make .* the master/s,
    },
    { what: "a tunnel", config: { master: "tunnel" }, code: 7, text: /"tunnel" \(master\) is no Ethernet interface/ },
    { what: "an MTU below any", config: { mtu: 50 }, code: 7, text: /invalid MTU 50: .*68 bytes/ },
    { what: "an MTU beyond the parent's", config: { mtu: 9000 }, code: 7, text: /invalid MTU 9000, .*MTU\(1500\)/ },
    {
      what: "a hardware address in mode passthru",
      config: { mode: "passthru", mac: "02:00:00:00:00:05" },
      code: 7,
      text: /02:00:00:00:00:05 cannot be given: in mode passthru the container has that of uplink/,
    },
    { what: "a group's hardware address", config: { mac: "01:00:00:00:00:01" }, code: 7, text: /zero or a group's/ },
  ];
  test.each(refusals)("$what is refused, and nothing changes", async ({ config, code, text }) => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "add", "br0", "type", "bridge"]);
    await node.exec(["ip", "link", "add", "port", "type", "veth", "peer", "name", "end"]);
    await node.exec(["ip", "link", "set", "port", "master", "br0"]);
    await node.exec(["ip", "tuntap", "add", "tunnel", "mode", "tun"]);
    const network = macvlanNetwork(node, engine, { ...config, ipam: onSegment });
    const container = await network.container("container");
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(code, text);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    await network.del(container);
    if (config.master !== undefined) (await network.call(0, "STATUS")).expectError(50, text);
  });

  test("a failing IPAM plugin leaves no macvlan", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const ipam = {
      type: "host-local",
      ranges: [[{ subnet: "192.0.2.0/24", rangeStart: "192.0.2.10", rangeEnd: "192.0.2.10" }]],
    };
    const network = macvlanNetwork(node, engine, { ipam });
    await network.add(await network.container("one"));
    const two = await network.container("two");
    (await network.addOne(0, two)).expectError(100);
    expect(await two.sandbox.hasLink("eth0")).toBe(false);
  });

  test("an address that cannot be configured leaves neither macvlan nor reservation", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, {
      ipam: { ...onSegment, routes: [{ dst: "203.0.113.0/24", gw: "198.51.100.1" }] },
    });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(
      5,
      /add route 203\.0\.113\.0\/24 via 198\.51\.100\.1.*ENETUNREACH/,
    );
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
    expect((await snapshot(node)).lines.filter((line) => line.includes("192.0.2.10"))).toEqual([]);
  });

  test("a link of the same kind that somebody made is refused with code 101, also under an alternative name, and stays", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    const { sandbox } = container;
    for (const name of ["eth0", "data0"]) {
      const macvlan = ["link", "uplink", "netns", sandbox.name, "type", "macvlan", "mode", "bridge"];
      await node.exec(["ip", "link", "add", "name", name, ...macvlan]);
      if (name !== "eth0") await sandbox.exec(["ip", "link", "property", "add", "dev", name, "altname", "eth0"]);
      const { ifindex, address } = await linkOf(sandbox, name);
      (await network.addOne(0, container)).expectError(101, /"eth0".* already exists/);
      expect(await linkOf(sandbox, name), "it is the same one still").toMatchObject({ ifindex, address });
      await sandbox.exec(["ip", "link", "del", name]);
    }
  });

  test("of two networks that give a container the same interface at once, one does", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const [one, two] = ["one", "two"].map((name, index) => {
      const ipam = { type: "host-local", ranges: [[{ subnet: `10.${index}.0.0/24` }]] };
      return new TestNetwork(
        node,
        "1.1.0",
        [{ suite: engine, config: { type: "macvlan", master: "uplink", ipam } }],
        name,
      );
    }) as [TestNetwork, TestNetwork];
    for (let round = 0; round < 8; round++) {
      const first = await one.container(`container-${round}`);
      const second = await two.container(`container-${round}`, "eth0", first.sandbox);
      const calls = await Promise.all([one.addOne(0, first), two.addOne(0, second)]);
      const [won, ...others] = calls.toSorted((a, b) => a.status - b.status);
      const result = won?.expectSuccess();
      for (const call of others) call.expectError(101, /"eth0".* already exists/);
      const given = result.ips.map((ip: Json) => ip.address);
      expect(await addressesOn(first.sandbox, "eth0")).toEqual(given);
    }
  });

  test("a name that is taken in the container is refused with code 101, and what has it stays", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await container.sandbox.exec(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "end"]);
    (await network.addOne(0, container)).expectError(101, /"eth0".* already exists/);
    expect((await linkOf(container.sandbox, "eth0")).linkinfo.info_kind).toBe("veth");
    await network.del(container);
    expect(await container.sandbox.hasLink("eth0"), "DEL removes no link of another kind").toBe(true);
  });

  test("what a killed ADD of the same container left is replaced; another's is not", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    const tag: string = (await linkOf(container.sandbox, "eth0")).ifalias;
    expect(tag).toMatch(/^[0-9a-f]{16}-[0-9a-f]{16} testnet eth0 container$/);
    await network.del(container);
    const leave = async (alias: string, group = 0): Promise<void> => {
      const macvlan = ["link", "uplink", "netns", container.sandbox.name, "type", "macvlan", "mode", "bridge"];
      await node.exec(["ip", "link", "add", "name", "eth0", "group", `${group}`, ...macvlan]);
      if (alias !== "") await container.sandbox.exec(["ip", "link", "set", "eth0", "alias", alias]);
    };
    // Killed before it had written its tag: what it made is marked by its group.
    const mark = 0x1000_0000 + (Number.parseInt(tag.slice(0, 7), 16) ^ Number.parseInt(tag.slice(17, 24), 16));
    for (const [alias, group] of [
      [tag, 0],
      ["", mark],
    ] as const) {
      await leave(alias, group);
      container.result = undefined;
      await network.add(container);
      expect((await linkOf(container.sandbox, "eth0")).group).toBe("default");
      await network.del(container);
    }
    const stranger = tag.replace(/^.{33}/, "0123456789abcdef-0123456789abcdef");
    await leave(stranger);
    container.result = undefined;
    (await network.addOne(0, container)).expectError(101);
    await network.del(container);
    expect((await linkOf(container.sandbox, "eth0")).ifalias, "DEL leaves another attachment's").toBe(stranger);
  });

  test("DEL needs neither parent, nor default route, nor a result that can be read", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { master: "other", ipam: onSegment });
    await node.exec(["ip", "link", "set", "uplink", "down"]);
    await node.exec(["ip", "link", "set", "uplink", "name", "other"]);
    await node.exec(["ip", "link", "set", "other", "up"]);
    const before = await snapshot(node);
    const container = await network.container("container");
    await network.add(container);
    await node.exec(["ip", "link", "set", "other", "down"]);
    await node.exec(["ip", "link", "set", "other", "name", "renamed"]);
    await network
      .call(0, "CHECK", container, { prevResult: container.result })
      .then((call) => call.expectError(102, /parent other of eth0 is missing/));
    (await network.call(0, "DEL", container, { prevResult: { cniVersion: "9", ips: "rubbish" } })).expectSuccess();
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
    const files = (lines: readonly string[]): string[] => lines.filter((line) => /"container/.test(line));
    expect(files((await snapshot(node)).lines)).toEqual(files(before.lines));
  });

  test("the parent unplugged takes the macvlan with it: CHECK says so, DEL releases the address", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    await node.exec(["ip", "link", "del", "uplink"]);
    (await network.checkOne(0, container)).expectError(102, /interface eth0 is missing/);
    await network.del(container);
    expect((await snapshot(node)).lines.filter((line) => line.includes("192.0.2.10"))).toEqual([]);
    (await network.call(0, "STATUS")).expectError(50, /"uplink"/);
  });

  test("a parent that is down: ADD warns, STATUS answers 51, and all works once it is up", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "set", "uplink", "down"]);
    const network = macvlanNetwork(node, engine, { ipam: onSegmentBoth });
    (await network.call(0, "STATUS")).expectError(51, /parent uplink is down/);
    const container = await network.container("container");
    const call = await network.addOne(0, container);
    container.result = call.expectSuccess();
    expect(call.stderr).toMatch(/parent uplink is down/);
    expect(call.wallMs, "there is no waiting for duplicates that cannot be looked for").toBeLessThan(2000);
    await node.exec(["ip", "link", "set", "uplink", "up"]);
    await expectAnswer(container.sandbox, "192.0.2.2");
    await expect.poll(() => answers(container.sandbox, "2001:db8:ffff::2"), { timeout: 5000 }).toBe(true);
    await network.check(container);
  });

  test("an IPv6 address that another host has is refused, and nothing is left", async () => {
    await using node = await TestNode.create();
    const { namespace: outside } = await node.outside();
    // Until its own detection has ended it answers nobody else's.
    const settled = ["ip", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"];
    await expect.poll(() => outside.exec(settled), { timeout: 5000 }).toContain("fe80");
    const network = macvlanNetwork(node, engine, { ipam: fixed({ address: "2001:db8:ffff::2/64" }) });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(101, /2001:db8:ffff::2\/64 of eth0 is used by another host/);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test("an IPv6 address that cannot be used after five seconds is an error, and nothing is left", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegmentBoth });
    const container = await network.container("container");
    await container.sandbox.exec(["sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=20"]);
    const call = await network.addOne(0, container);
    call.expectError(11, /address \S+ of eth0 cannot be used yet: .*after 5 s\n.*dad_transmits/);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
    expect((await snapshot(node)).lines.filter((line) => line.includes('"container'))).toEqual([]);
  });

  test("a macvlan can be the parent of another", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "add", "upper", "link", "uplink", "type", "macvlan", "mode", "bridge"]);
    await node.exec(["ip", "link", "set", "upper", "up"]);
    const network = macvlanNetwork(node, engine, { master: "upper", ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    await expectAnswer(container.sandbox, "192.0.2.2");
    await network.check(container);
  });

  const sabotages = [
    { what: "the address", command: "ip addr del 192.0.2.10/24 dev eth0", named: /address 192\.0\.2\.10\/24/ },
    { what: "a route", command: "ip route del default", named: /route 0\.0\.0\.0\/0 via 192\.0\.2\.2/ },
    {
      what: "the link, being down,",
      command: "ip link set eth0 down && ip route add default via 192.0.2.2",
      named: /is down|is missing/,
    },
    {
      what: "the mode",
      command: "ip link set eth0 type macvlan mode private",
      named: /mode private does not match expected value: bridge/,
    },
    {
      what: "the hardware address",
      command: "ip link set eth0 address 02:00:00:00:00:99",
      named: /has hardware address 02:00:00:00:00:99/,
    },
    { what: "the interface", command: "ip link del eth0", named: /interface eth0 is missing/ },
    {
      what: "the kind",
      command: "ip link del eth0; ip link add eth0 type bridge",
      named: /is of kind bridge, expected macvlan/,
    },
  ];
  test.each(sabotages)("CHECK misses $what", async ({ command, named }) => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    await container.sandbox.run(["sh", "-c", command]);
    (await network.checkOne(0, container)).expectError(102, named);
  });

  test("CHECK misses the parent that the configuration names", async () => {
    await using node = await TestNode.create();
    await node.outside();
    await node.exec(["ip", "link", "add", "second", "type", "veth", "peer", "name", "end"]);
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await network.add(container);
    const other = macvlanNetwork(node, engine, { master: "second", ipam: onSegment });
    (await other.checkOne(0, container)).expectError(102, /eth0 is not on parent second/);
  });

  test("dns: IPAM's is kept, and any key of the configuration's replaces all of it", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const dns = { nameservers: ["192.0.2.53"], search: ["a.example"] };
    const ipam = { ...fixed({ address: "192.0.2.10/24" }), dns };
    for (const [config, expected] of [
      [{}, dns],
      [{ dns: { domain: "b.example" } }, { domain: "b.example" }],
    ] as const) {
      const network = macvlanNetwork(node, engine, { ipam, ...config });
      expect((await network.add(await network.container("container"))).dns).toEqual(expected);
    }
  });

  test("with IPv6 switched off, an IPv4 network works whole", async () => {
    await using node = await TestNode.create();
    await node.outside();
    const network = macvlanNetwork(node, engine, { ipam: onSegment });
    const container = await network.container("container");
    await container.sandbox.exec([
      "sysctl",
      "-qw",
      "net.ipv6.conf.all.disable_ipv6=1",
      "net.ipv6.conf.default.disable_ipv6=1",
    ]);
    await network.add(container);
    await expectAnswer(container.sandbox, "192.0.2.2");
    await network.check(container);
    await network.del(container);
  });

  test.skipIf(missing !== undefined)(
    "CHECK passes for what the reference suite has set up, and DEL removes it",
    async () => {
      await using node = await TestNode.create();
      await node.outside();
      const theirs = macvlanNetwork(node, reference, { ipam: onSegmentBoth });
      const container = await theirs.container("container");
      await theirs.add(container);
      const ours = macvlanNetwork(node, engine, { ipam: onSegmentBoth });
      await ours.check(container);
      await ours.del(container);
      expect(await container.sandbox.hasLink("eth0")).toBe(false);
    },
  );
});
