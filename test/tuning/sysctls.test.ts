/** tuning: sysctls of the container's network, the operator's list of what is allowed, and what is set back. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { addTuning, allowList, filesIn, sysctl, TUNING, tunedNetwork, writeFile } from "./tuned-node.ts";

const SOMAXCONN = "net/core/somaxconn";

describe.each(engines)("$name", (suite) => {
  test("they are set in the container, not on the node; CHECK compares them; DEL sets them back", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, {
      sysctl: {
        "net.core.somaxconn": "500",
        "net.ipv4.conf.IFNAME.arp_filter": "1",
        "net/ipv4/conf/IFNAME/arp_notify": "1",
        "net.ipv4.tcp_rmem": "4096 131072 6000000",
        "net.ipv4.ip_local_reserved_ports": "8080,9000-9010",
      },
    });
    const container = await network.container("container");
    const prevResult = await network.add(container, TUNING);
    await node.exec(["mkdir", "-p", "-m", "700", "/run/cni/tuning"]);
    const before = await snapshot(node, { sandboxes: [container.sandbox] });
    const former = [await sysctl(container, SOMAXCONN), await sysctl(container, "net/ipv4/tcp_rmem")];
    const onNode = await node.exec(["cat", "/proc/sys/net/ipv4/tcp_rmem"]);
    expect((await network.addOne(TUNING, container)).expectSuccess(), "the result is the one before").toEqual(
      prevResult,
    );
    expect(await sysctl(container, SOMAXCONN)).toBe("500");
    expect(await sysctl(container, "net/ipv4/conf/eth0/arp_filter")).toBe("1");
    expect(await sysctl(container, "net/ipv4/conf/eth0/arp_notify")).toBe("1");
    expect(await sysctl(container, "net/ipv4/tcp_rmem")).toBe("4096 131072 6000000");
    expect(await sysctl(container, "net/ipv4/ip_local_reserved_ports")).toBe("8080,9000-9010");
    expect(await node.exec(["cat", "/proc/sys/net/ipv4/tcp_rmem"])).toBe(onNode);
    await network.check(container);
    await container.sandbox.exec(["sysctl", "-qw", "net.core.somaxconn=501"]);
    const words = 'sysctl net.core.somaxconn is "501", configured is "500"';
    (await network.checkOne(TUNING, container)).expectError(102, new RegExp(words));
    (await network.delOne(TUNING, container)).expectSuccess();
    expect([await sysctl(container, SOMAXCONN), await sysctl(container, "net/ipv4/tcp_rmem")]).toEqual(former);
    expect(await sysctl(container, "net/ipv4/ip_local_reserved_ports")).toBe("");
    expectSame(await snapshot(node, { sandboxes: [container.sandbox] }), before);
  });

  test("interfaces whose names have dots are reached by IFNAME, by name, and as sysctl(8) writes them", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, {
      sysctl: {
        "net.ipv4.conf.IFNAME.arp_filter": "1",
        "net.ipv4.conf.eth0.5.arp_notify": "1",
        "net/ipv4/conf/eth0.5/arp_ignore": "1",
        "net.ipv4.conf.eth0/5.arp_announce": "2",
      },
    });
    const container = await network.container("container", "eth0.5");
    await network.add(container);
    for (const [name, value] of [
      ["arp_filter", "1"],
      ["arp_notify", "1"],
      ["arp_ignore", "1"],
      ["arp_announce", "2"],
    ] as const)
      expect(await sysctl(container, `net/ipv4/conf/eth0.5/${name}`), name).toBe(value);
    await network.check(container);
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await sysctl(container, "net/ipv4/conf/eth0.5/arp_announce")).toBe("0");
  });

  test("what args ask for wins, with and without sysctls in the configuration", async () => {
    await using node = await TestNode.create();
    const args = { cni: { sysctl: { "net/core/somaxconn": "99" } } };
    const container = await tunedNetwork(node, suite, {}).container("container");
    await tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "98" }, args }).add(container);
    expect(await sysctl(container, SOMAXCONN)).toBe("99");
    const other = await tunedNetwork(node, suite, {}).container("other");
    await tunedNetwork(node, suite, { args }).add(other);
    expect(await sysctl(other, SOMAXCONN)).toBe("99");
  });

  test("one that can only be written is written, and nothing is set back", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { sysctl: { "net.ipv4.route.flush": "1" } });
    const container = await network.container("container");
    await network.add(container);
    await network.check(container);
    const call = await network.delOne(TUNING, container);
    call.expectSuccess();
    expect(call.stderr).toBe("");
  });

  test("they need no interface, and DEL finds the namespace by another path", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "500" } });
    const container = await network.container("container");
    const former = await sysctl(container, SOMAXCONN);
    container.result = { cniVersion: "1.1.0" };
    expect((await network.addOne(TUNING, container)).expectSuccess()).toEqual({ cniVersion: "1.1.0" });
    (await network.checkOne(TUNING, container)).expectSuccess();
    const netns = container.sandbox.path.replace("/netns/", "/./netns/");
    (await network.delOne(TUNING, container, { netns })).expectSuccess();
    expect(await sysctl(container, SOMAXCONN)).toBe(former);
  });

  test("with the MTU they are both as configured, and both set back", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400, sysctl: { "net.ipv6.conf.IFNAME.mtu": "1300" } });
    const container = await network.container("container");
    await network.add(container);
    expect(await sysctl(container, "net/ipv6/conf/eth0/mtu")).toBe("1300");
    await network.check(container);
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await sysctl(container, "net/ipv6/conf/eth0/mtu")).toBe("1500");
  });

  test("of two interfaces that set the same one, the last to go sets it back", async () => {
    await using node = await TestNode.create();
    for (const firstToGo of ["eth0", "net1"]) {
      const sandbox = await node.sandbox();
      const first = tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "500" } });
      const second = tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "600" } }, { name: "othernet" });
      const eth0 = await first.container(`c-${firstToGo}`, "eth0", sandbox);
      const net1 = await second.container(`c-${firstToGo}`, "net1", sandbox);
      const former = await sysctl(eth0, SOMAXCONN);
      await first.add(eth0);
      await second.add(net1);
      if (firstToGo === "eth0") {
        await first.del(eth0);
        expect(await sysctl(net1, SOMAXCONN), "the other's value stays").toBe("600");
        await second.del(net1);
      } else {
        await second.del(net1);
        expect(await sysctl(eth0, SOMAXCONN), "the other's value is there again").toBe("500");
        await first.del(eth0);
      }
      expect(await sysctl(eth0, SOMAXCONN)).toBe(former);
    }
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
  });

  test.each([
    [{ "kernel.shmmax": "1" }, /invalid net sysctl key: "kernel.shmmax"/],
    [{ "Net.core.somaxconn": "1" }, /invalid net sysctl key/],
    [
      { "net.core.nope": "1" },
      /Cannot set sysctl net.core.nope: the container's network namespace has no such parameter/,
    ],
    // Of the whole machine: a namespace does not have the one, and can at most read the other.
    [{ "net.core.netdev_max_backlog": "1000" }, /namespace has no such parameter\n.*belong to the whole machine/],
    [{ "net.core.rmem_max": "1" }, /(has no such parameter|can only be read)\n.* to the whole machine/],
    [{ "net/../../etc/passwd": "1" }, /has no such parameter/],
    [{ "net.core.somaxconn": "abc" }, /Cannot set sysctl net.core.somaxconn to "abc"/],
    [{ "net.core.somaxconn": 500 }, /sysctl.net.core.somaxconn: expected a string, found a number/],
    [
      { "net.core.somaxconn": "1", "net/core/somaxconn": "2" },
      /are both net\/core\/somaxconn, and have different values/,
    ],
    [["net.core.somaxconn"], /sysctl: expected an object of strings/],
  ])("%j is refused, nothing is changed, and DEL succeeds", async (given, words) => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { mtu: 1400, sysctl: given });
    const container = await network.container("container");
    const former = await sysctl(container, SOMAXCONN);
    (await addTuning(network, container)).expectError(7, words);
    expect(await sysctl(container, SOMAXCONN)).toBe(former);
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
    (await network.delOne(TUNING, container)).expectSuccess();
  });

  test("a key that is there twice is refused: one of its values would win by chance", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "1" } });
    const container = await network.container("container");
    await network.add(container, TUNING);
    const text = JSON.stringify(network.config(TUNING, container, { prevResult: container.result }));
    const twice = text.replace('"net.core.somaxconn":"1"', '"net.core.somaxconn":"1", "net.core.somaxconn":"1"');
    const call = { containerId: "container", netns: container.sandbox, ifName: "eth0" };
    (await callPlugin(node, suite, "tuning", "ADD", twice, call)).expectError(
      7,
      /duplicated sysctl keys are not allowed/,
    );
    (await callPlugin(node, suite, "tuning", "DEL", twice, call)).expectSuccess();
  });

  describe("the list of allowed sysctls", () => {
    const config = { sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } };

    test.each([
      "^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$\n",
      "\n# ours\nnet.core\n  arp_(filter|notify)  \r\n",
      "(?i)NET",
    ])("%j allows it", async (list) => {
      await using node = await TestNode.create();
      await writeFile(node, allowList, list);
      const network = tunedNetwork(node, suite, config);
      (await network.call(TUNING, "STATUS")).expectSuccess();
      await network.add(await network.container("container"));
    });

    test.each(["", "\n\n", "^net\\.core\\.", "net.ipv4.conf.eth0.arp_filter"])(
      "%j does not; DEL succeeds all the same",
      async (list) => {
        await using node = await TestNode.create();
        await writeFile(node, allowList, list);
        const network = tunedNetwork(node, suite, config);
        const container = await network.container("container");
        const words =
          /Sysctl net.ipv4.conf.IFNAME.arp_filter is not allowed. Only the following sysctls are allowed: \[/;
        (await addTuning(network, container)).expectError(7, words);
        expect(await sysctl(container, "net/ipv4/conf/eth0/arp_filter")).toBe("0");
        (await network.call(TUNING, "STATUS")).expectError(7, words);
        (await network.delOne(TUNING, container)).expectSuccess();
      },
    );

    test("one that cannot be read, or not be understood, allows nothing, and the message tells why", async () => {
      await using node = await TestNode.create();
      const network = tunedNetwork(node, suite, config);
      const container = await network.container("container");
      await node.exec(["mkdir", "-p", allowList]);
      const unusable = /Cannot use the list of allowed sysctls \/etc\/cni\/tuning\/allowlist.conf/;
      (await addTuning(network, container)).expectError(5, unusable);
      (await network.call(TUNING, "STATUS")).expectError(50, unusable);
      await node.exec(["rmdir", allowList]);
      await writeFile(node, allowList, "net\n[bad\n");
      (await network.addOne(TUNING, container)).expectError(5, /"\[bad" is no regular expression that is understood/);
      // Who asks for no sysctl does not need the list.
      await tunedNetwork(node, suite, { mtu: 1400 })
        .addOne(TUNING, container)
        .then((call) => call.expectSuccess());
    });
  });

  test("where /proc/sys cannot be written to, STATUS tells before an ADD does", async () => {
    await using node = await TestNode.create();
    const network = tunedNetwork(node, suite, { sysctl: { "net.core.somaxconn": "500" } });
    const container = await network.container("container");
    await network.add(container, TUNING);
    (await network.call(TUNING, "STATUS")).expectSuccess();
    await node.exec(["mount", "--bind", "/proc/sys", "/proc/sys"]);
    await node.exec(["mount", "-o", "remount,bind,ro", "/proc/sys"]);
    (await network.call(TUNING, "STATUS")).expectError(50, /sysctls cannot be set: .*EROFS/);
    (await network.addOne(TUNING, container)).expectError(5, /Cannot set sysctl net.core.somaxconn to "500": EROFS/);
    (await network.delOne(TUNING, container)).expectSuccess();
    expect(await filesIn(node, "/run/cni/tuning")).toEqual([]);
  });
});
