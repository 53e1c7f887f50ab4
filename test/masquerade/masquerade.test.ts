/** Masquerading by bridge: packets, concurrency, CHECK, and what is left behind; with either backend, beside the reference. */
import { describe, expect, test } from "vitest";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import { TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";

const backends = ["nftables", "iptables"] as const;

function masqueraded(node: TestNode, suite: Suite, backend: string, name = "testnet", subnet = 22): TestNetwork {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: `10.${subnet}.0.0/24` }], [{ subnet: `2001:db8:${subnet}::/64` }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  };
  const bridge = {
    type: "bridge",
    bridge: `cni${subnet}`,
    isGateway: true,
    ipMasq: true,
    ipMasqBackend: backend,
    ipam,
  };
  return new TestNetwork(node, "1.1.0", [{ suite, config: bridge }], name);
}

describe.each(engines)("$name", (engine) => {
  describe.each(backends)("%s", (backend) => {
    test("containers reach the outside by the node's address, and each other by their own", async () => {
      await using node = await TestNode.create();
      const outside = await node.outside();
      const network = masqueraded(node, engine, backend);
      const one = await network.container("one");
      const two = await network.container("two");
      await network.add(one);
      await network.add(two);
      // Outside has no route to the containers: it answers only what is masqueraded.
      await one.sandbox.exec(["ping", "-c", "1", "-W", "2", outside.address4]);
      await one.sandbox.exec(["ping", "-c", "1", "-W", "2", outside.address6]);
      await one.sandbox.exec(["ping", "-c", "1", "-W", "2", two.result.ips[0].address.split("/")[0]]);
      await network.check(one);
      await network.del(one);
      await two.sandbox.exec(["ping", "-c", "1", "-W", "2", outside.address4]);
    });

    test("a repeated ADD of other containers, DEL and DEL again leave the rules of those that are alive", async () => {
      await using node = await TestNode.create();
      const network = masqueraded(node, engine, backend);
      const lasting = await network.container("lasting");
      await network.add(lasting);
      const before = await snapshot(node);
      const passing = await network.container("passing");
      await network.add(passing);
      await network.del(passing);
      await network.del(passing);
      expectSame(await snapshot(node), before);
      await network.check(lasting);
    });

    test("DEL of one interface leaves the masquerading of another of the same container", async () => {
      await using node = await TestNode.create();
      const outside = await node.outside();
      const network = masqueraded(node, engine, backend);
      const one = await network.container("container");
      const two = await network.container("container", "eth1", one.sandbox);
      await network.add(one);
      const before = await snapshot(node);
      await network.add(two);
      await network.del(two);
      expectSame(await snapshot(node), before);
      await network.check(one);
      await one.sandbox.exec(["ping", "-c", "1", "-W", "2", outside.address4]);
    });

    test("CHECK notices that the rules are gone", async () => {
      await using node = await TestNode.create();
      const network = masqueraded(node, engine, backend);
      const container = await network.container("container");
      await network.add(container);
      await node.exec(["nft", "flush", "ruleset"]);
      (await network.checkOne(0, container)).expectError(102, /not masqueraded/);
    });

    test("GC removes the rules of the dead, of this network alone", async () => {
      await using node = await TestNode.create();
      const network = masqueraded(node, engine, backend);
      const other = masqueraded(node, engine, backend, "other", 23);
      const alive = await network.container("alive");
      const stranger = await other.container("stranger");
      await network.add(alive);
      await other.add(stranger);
      const before = await snapshot(node);
      const dead = await network.container("dead");
      await network.add(dead);
      await dead.sandbox.remove();
      await network.gc([alive]);
      expectSame(await snapshot(node), before);
    });

    test("a container's name longer than a rule's comment changes nothing: CHECK, a repeated ADD, DEL and GC find its rules", async () => {
      await using node = await TestNode.create();
      const network = masqueraded(node, engine, backend);
      const alive = await network.container("a".repeat(300));
      await network.add(alive);
      await network.check(alive);
      const before = await snapshot(node);
      for (const leave of ["DEL", "GC"]) {
        const container = await network.container("b".repeat(300));
        await network.add(container);
        await network.check(container);
        if (leave === "DEL") await network.del(container);
        else await network.gc([alive]);
        expectSame(await snapshot(node), before);
      }
      await network.check(alive);
    });

    test.skipIf(referenceMissing() !== undefined)(
      "what the reference suite made, DEL removes when the sandbox is gone",
      async () => {
        await using node = await TestNode.create();
        const theirs = masqueraded(node, reference, backend);
        const ours = masqueraded(node, engine, backend);
        const container = await theirs.container("departed");
        await theirs.add(container);
        const rules = (): Promise<string> => node.exec(["sh", "-c", "nft list ruleset; iptables-save; ip6tables-save"]);
        expect(await rules()).toContain("departed");
        await container.sandbox.remove();
        await ours.del(container);
        expect(await rules()).not.toMatch(/departed|CNI-[0-9a-f]{24}/);
      },
    );
  });

  test("DEL leaves nothing, whether the result it is given has all addresses, some, others or none", async () => {
    await using node = await TestNode.create();
    const network = masqueraded(node, engine, "nftables");
    await network.add(await network.container("resident"));
    const before = await snapshot(node);
    const container = await network.container("container");
    await network.add(container);
    const { ips, ...rest } = container.result;
    const results = [
      { ...rest, ips },
      { ...rest, ips: ips.slice(1) },
      { ...rest, ips: [{ address: "192.0.2.7/24" }] },
    ];
    for (const result of [...results, undefined]) {
      container.result = result;
      await network.del(container);
      expectSame(await snapshot(node), before);
      await network.add(container);
    }
  });

  test("thirty at once on an empty node all have their rules, and the last one out takes the table along", async () => {
    await using node = await TestNode.create();
    const network = masqueraded(node, engine, "nftables");
    const containers = await Promise.all(Array.from({ length: 30 }, (_, at) => network.container(`c${at}`)));
    await Promise.all(containers.map((each) => network.add(each)));
    const rules = await node.exec(["nft", "list", "table", "inet", "ferrule_masquerade"]);
    expect(rules.match(/ masquerade comment /g), "one rule each family").toHaveLength(2);
    expect(rules.match(/comment "[0-9a-f]{16}-[0-9a-f]{16} testnet eth0 c\d+"/g)).toHaveLength(60);
    await Promise.all(containers.map((each) => network.check(each)));
    await Promise.all(containers.map((each) => network.del(each)));
    expect(await node.exec(["nft", "list", "tables"])).toBe("");
  });
});
