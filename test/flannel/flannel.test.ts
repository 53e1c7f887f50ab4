/** flannel: what its delegate is called with in each verb, what is remembered, and what is cleaned up. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { addressesOn, expectAnswer, linkOf } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, expectSameEventually, snapshot } from "../helpers/snapshot.ts";
import {
  flannelNetwork,
  IPV4,
  IPV6,
  RECORDS,
  record,
  records,
  reserved,
  witness,
  writeSubnet,
} from "./flannel-node.ts";

const kubeFlannel = { delegate: { hairpinMode: true, isDefaultGateway: true } };

describe.each(engines)("$name", (suite) => {
  test("containers are on a bridge in the node's subnets, with flannel's MTU, and reach each other", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node, IPV4 + IPV6);
    const network = flannelNetwork(node, suite, kubeFlannel);
    const [one, two] = [await network.container("one"), await network.container("two")];
    await network.add(one);
    await network.add(two);
    expect(await addressesOn(one.sandbox, "eth0")).toEqual(["10.244.1.2/24", "2001:db8:244:1::2/64"]);
    expect((await linkOf(one.sandbox, "eth0")).mtu).toBe(1450);
    expect(await addressesOn(node, "cni0")).toEqual(["10.244.1.1/24", "2001:db8:244:1::1/64"]);
    await expectAnswer(one.sandbox, "10.244.1.3");
    await expectAnswer(one.sandbox, "2001:db8:244:1::3");
    const routes = await one.sandbox.ip("-4", "route");
    expect(routes.map((route) => route["dst"])).toEqual(["default", "10.244.0.0/16", "10.244.1.0/24"]);
    await network.check(one);
    await network.del(one);
    await network.del(two);
    expect(await reserved(node)).toEqual([]);
    expect(await records(node)).toEqual([]);
  });

  test("the delegate's configuration is kept for root alone, with its owner, until DEL", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node, IPV4.replace("/16", "/16,10.245.0.0/16"));
    const network = flannelNetwork(node, suite, {
      delegate: { bridge: "cni7" },
      ipam: { routes: [{ dst: "1.2.3.0/24" }] },
    });
    const container = await network.container("container");
    await network.add(container);
    expect(await record(node, "container")).toEqual({
      cniVersion: "1.1.0",
      name: "cbr0",
      type: "bridge",
      bridge: "cni7",
      ipMasq: false,
      isGateway: true,
      mtu: 1450,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.244.1.0/24" }]],
        routes: [{ dst: "1.2.3.0/24" }, { dst: "10.244.0.0/16" }, { dst: "10.245.0.0/16" }],
      },
      ferrule: { containerId: "container", ifName: "eth0", network: "cbr0" },
    });
    expect((await node.exec(["stat", "-c", "%a", RECORDS, `${RECORDS}/container`])).trim()).toBe("700\n600");
    await network.del(container);
    expect(await records(node)).toEqual([]);
    await network.del(container);
  });

  test("a delegate that is the same executable runs in the same process, and so does its IPAM plugin", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const container = await network.container("container");
    const log = join(node.directory, "strace.txt");
    const call = await network.addOne(0, container, {
      wrapper: ["strace", "-f", "-qqq", "-e", "trace=execve", "-o", log],
    });
    call.expectSuccess();
    expect(call.stderr, "nothing is printed but the result").toBe("");
    expect(readFileSync(log, "utf8").match(/execve\(/g)).toHaveLength(1);
  });

  test("each verb reaches the delegate, with what the runtime passes in that call", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const delegate = await witness(node);
    const path = `${delegate.directory}:${suite.directory}`;
    const config = { delegate: { type: "witness", own: [1] }, dns: { domain: "a" }, args: { cni: { x: 1 } } };
    const network = flannelNetwork(node, suite, config, { path, runtimeConfig: { mac: "02:00:00:00:00:01" } });
    const container = await network.container("container");
    const result = await network.add(container);
    expect(result.ips).toEqual([{ address: "10.244.1.9/24" }]);
    const plain = {
      cniVersion: "1.1.0",
      name: "cbr0",
      type: "witness",
      own: [1],
      dns: { domain: "a" },
      args: { cni: { x: 1 } },
      ipMasq: false,
      mtu: 1450,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.244.1.0/24" }]], routes: [{ dst: "10.244.0.0/16" }] },
    };
    const runtimeConfig = { mac: "02:00:00:00:00:01" };
    const here = { containerId: "container", ifName: "eth0", netns: container.sandbox.path };
    expect(await delegate.calls()).toEqual([{ verb: "ADD", ...here, config: { ...plain, runtimeConfig } }]);
    await network.check(container);
    expect(await delegate.calls()).toEqual([
      { verb: "CHECK", ...here, config: { ...plain, runtimeConfig, prevResult: result } },
    ]);
    (await network.call(0, "STATUS")).expectSuccess();
    expect(await delegate.calls()).toEqual([{ verb: "STATUS", containerId: "", ifName: "", netns: "", config: plain }]);
    await network.gc([container]);
    const alive = [{ containerID: "container", ifname: "eth0" }];
    expect(await delegate.calls()).toEqual([
      { verb: "GC", containerId: "", ifName: "", netns: "", config: { ...plain, "cni.dev/valid-attachments": alive } },
    ]);
    await network.del(container);
    expect(await delegate.calls()).toEqual([
      { verb: "DEL", ...here, config: { ...plain, runtimeConfig, prevResult: result } },
    ]);
  });

  test("the delegate's error is passed on as it is, it gets its DEL, and nothing is left", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const delegate = await witness(node);
    const network = flannelNetwork(node, suite, { delegate: { type: "witness" } }, { path: delegate.directory });
    const container = await network.container("container");
    await node.exec(["mkdir", "-p", RECORDS]);
    const before = await snapshot(node);
    await delegate.fails(true);
    const error = (await network.addOne(0, container)).expectError(117, /not today/);
    expect(error.details).toContain("ask tomorrow");
    expect((await delegate.calls()).map((call) => call.verb)).toEqual(["ADD", "DEL"]);
    expectSame(await snapshot(node), before);
    (await network.call(0, "STATUS")).expectError(117);
    (await network.delOne(0, container)).expectSuccess();
  });

  test("DEL that fails keeps the record, so that it can be repeated", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const delegate = await witness(node);
    const network = flannelNetwork(node, suite, { delegate: { type: "witness" } }, { path: delegate.directory });
    const container = await network.container("container");
    await network.add(container);
    await delegate.fails(true);
    (await network.delOne(0, container)).expectError(117, /not today/);
    expect(await records(node)).toEqual(["container"]);
    await delegate.fails(false);
    await network.del(container);
    expect(await records(node)).toEqual([]);
  });

  test("without flanneld's file the message tells who writes it; STATUS says 50; DEL and GC do without", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const container = await network.container("container");
    await network.add(container);
    await node.exec(["rm", "/run/flannel/subnet.env"]);
    const other = await network.container("other");
    const missing =
      /failed to load flannel 'subnet.env' file: \/run\/flannel\/subnet.env is not there\nflanneld writes this file/;
    (await network.addOne(0, other)).expectError(11, missing);
    (await network.call(0, "STATUS")).expectError(50, missing);
    await network.check(container);
    await network.gc([container]);
    await network.del(container);
    expect(await reserved(node)).toEqual([]);
    await network.gc([]);
    await network.del(other);
  });

  test.each([
    ["FLANNEL_NETWORK\n", /line 1: FLANNEL_NETWORK has no value/],
    [IPV4.replace("10.244.1.1/24", "ten"), /line 2: FLANNEL_SUBNET: expected an IPv4 prefix/],
    ["FLANNEL_NETWORK=10.244.0.0/16\n", /is missing FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET/],
  ])("a damaged file is told with the line, and crashes nothing: %j", async (text, words) => {
    await using node = await TestNode.create();
    await writeSubnet(node, text, "/run/cni/other.env");
    const network = flannelNetwork(node, suite, { subnetFile: "/run/cni/other.env" });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(11, words);
    (await network.call(0, "STATUS")).expectError(50, words);
    expect(await records(node)).toEqual([]);
  });

  test.each([
    [{ delegate: { name: "x" } }, /'delegate' dictionary must not have 'name' field, it'll be set by flannel/],
    [{ delegate: { ipam: {} } }, /'delegate' dictionary must not have 'ipam' field, it'll be set by flannel/],
    [{ delegate: { type: 5 } }, /delegate.type: expected a string/],
    [{ delegate: { type: "../bridge" } }, /invalid plugin name/],
    [{ delegate: { type: "flannel" } }, /cannot delegate to itself/],
    [{ delegate: "bridge" }, /delegate: expected an object/],
    [{ ipam: { routes: {} } }, /ipam.routes: expected a list/],
  ])("%j is refused before anything is done, and DEL succeeds", async (config, words) => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite, config);
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(7, words);
    expect(await records(node)).toEqual([]);
    (await network.delOne(0, container)).expectSuccess();
  });

  test("a delegate that is not installed is told, and nothing is left", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite, { delegate: { type: "absent" } });
    const container = await network.container("container");
    (await network.addOne(0, container)).expectError(103, /failed to find plugin "absent" in path/);
    expect(await records(node)).toEqual([]);
  });

  test("a second ADD is the delegate's to refuse, and harms neither interface nor record", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const container = await network.container("container");
    await network.add(container);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    (await network.addOne(0, container)).expectError(101, /eth0/);
    const changed = flannelNetwork(node, suite, { delegate: { mtu: 1300 } });
    (await changed.addOne(0, container)).expectError(101, /eth0/);
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
    await network.check(container);
  });

  test("two interfaces, and two networks, of one container are remembered side by side", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    await writeSubnet(node, IPV4.replaceAll("244", "245"), "/run/flannel/other.env");
    const network = flannelNetwork(node, suite);
    const other = flannelNetwork(
      node,
      suite,
      { subnetFile: "/run/flannel/other.env", delegate: { bridge: "cni1" } },
      { name: "other" },
    );
    const before = await snapshot(node);
    const eth0 = await network.container("container", "eth0");
    const net1 = await network.container("container", "net1", eth0.sandbox);
    const net2 = await other.container("container", "net2", eth0.sandbox);
    await network.add(eth0);
    await network.add(net1);
    await other.add(net2);
    expect(await records(node)).toHaveLength(3);
    expect(await record(node, "container"), "the first has the original's name").toMatchObject({ name: "cbr0" });
    for (const container of [eth0, net1]) await network.check(container);
    await other.check(net2);
    await network.gc([eth0, net1]);
    await network.del(eth0);
    await network.check(net1);
    await other.check(net2);
    await other.del(net2);
    expect(await reserved(node, "other")).toEqual([]);
    await network.del(net1);
    expect(await reserved(node)).toEqual([]);
    expect(await records(node)).toEqual([]);
    expect(before.lines.length).toBeGreaterThan(0);
  });

  test("the original's record of one interface survives the ADD of another, and its repeated ADD", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const eth0 = await network.container("container", "eth0");
    const net1 = await network.container("container", "net1", eth0.sandbox);
    await network.add(eth0);
    const { ferrule: _, ...original } = await record(node, "container");
    await node.exec(["tee", `${RECORDS}/container`], { stdin: JSON.stringify(original) });
    (await network.addOne(0, eth0)).expectError(101);
    expect(await records(node)).toEqual(["container"]);
    await network.add(net1);
    expect(await record(node, "container")).toEqual(original);
    expect(await records(node)).toHaveLength(2);
    await network.del(net1);
    expect(await reserved(node)).toEqual(["10.244.1.2"]);
    await network.check(eth0);
    await network.del(eth0);
    expect([await reserved(node), await records(node)]).toEqual([[], []]);
  });

  test("DEL takes back what ADD did, though the node has got another subnet and another delegate since", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite, { delegate: { type: "ptp" }, ipam: { dataDir: "/run/cni/old" } });
    const container = await network.container("container");
    await network.add(container);
    expect((await node.run(["ls", "/run/cni/old/cbr0/10.244.1.2"])).status).toBe(0);
    await writeSubnet(node, IPV4.replaceAll("244", "245"));
    await flannelNetwork(node, suite).del(container);
    expect((await node.run(["ls", "/run/cni/old/cbr0/10.244.1.2"])).status).not.toBe(0);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test.each([
    ["lost", undefined],
    ["damaged", '{"type":"bri'],
  ])("with the record %s DEL goes by what is configured now", async (_, text) => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const container = await network.container("container");
    await network.add(container);
    if (text === undefined) await node.exec(["rm", `${RECORDS}/container`]);
    else await node.exec(["tee", `${RECORDS}/container`], { stdin: text });
    const call = await network.delOne(0, container);
    call.expectSuccess();
    expect(call.stderr).toMatch(text === undefined ? /^$/ : /container is damaged, and now .*container@damaged/);
    expect(await records(node)).toEqual(text === undefined ? [] : ["container@damaged"]);
    expect(await reserved(node)).toEqual([]);
    expect(await container.sandbox.hasLink("eth0")).toBe(false);
  });

  test("CHECK notices what the delegate notices", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    await container.sandbox.exec(["ip", "address", "del", "10.244.1.2/24", "dev", "eth0"]);
    (await network.checkOne(0, container)).expectError(102, /10.244.1.2/);
  });

  test("GC takes back what is on record of the dead, in either suite's format, and leaves the living and other networks", async () => {
    await using node = await TestNode.create();
    await writeSubnet(node);
    const network = flannelNetwork(node, suite);
    const other = flannelNetwork(node, suite, { delegate: { bridge: "cni1" } }, { name: "other" });
    const alive = await network.container("alive");
    await network.add(alive);
    const others = await other.container("others");
    await other.add(others);
    const rested = await snapshot(node);
    const dead = await network.container("dead");
    await network.add(dead);
    const old = await network.container("old");
    await network.add(old);
    // As the original writes it, and as its containers die without a DEL.
    const { ferrule: _, ...original } = await record(node, "old");
    await node.exec(["tee", `${RECORDS}/old`], { stdin: JSON.stringify({ ...original, cniVersion: "0.3.1" }) });
    await dead.sandbox.remove();
    await old.sandbox.remove();
    await node.exec(["mkdir", `${RECORDS}/lost+found`]);
    await network.gc([alive]);
    await node.exec(["rmdir", `${RECORDS}/lost+found`]);
    await expectSameEventually(() => snapshot(node), rested);
    await network.check(alive);
    await other.check(others);
  });
});
