/** sbr: which tables, rules and routes there are after each verb; where the reference errs, a test has the name of it. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { inject } from "../helpers/faults.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { followedFor } from "../lifecycle/stage.ts";
import { batch, both, callSbr, resultOf, routedSandbox, routesOf, rulesOf, tableOf } from "./routed-sandbox.ts";

describe.each(engines)("$name", (suite) => {
  test("a table that a rule, a route of any table, or another address uses is not taken", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, [
      "rule add from 192.0.2.1 lookup 100",
      "route add 192.0.2.0/24 dev eth0 table 102",
      "route add 2001:db8:9::/64 dev eth0 table 103",
    ]);
    await sandbox.exec(["ip", "-6", "rule", "add", "from", "2001:db8:9::9", "lookup", "101"]);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.1.0.5 104", "192.0.2.1 100", "2001:db8:1::5 104", "2001:db8:9::9 101"]);
  });

  test("addresses share a table, and one with another gateway gets its own", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["address add 10.2.0.5/24 dev net1", "address add 10.1.0.6/24 dev net1"]);
    const ips = [
      ...both,
      { address: "10.1.0.6/24", gateway: "10.1.0.1" },
      { address: "10.2.0.5/24", gateway: "10.2.0.1" },
    ];
    (await callSbr(node, suite, "ADD", sandbox, {}, resultOf(sandbox, ips))).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.1.0.5 100", "10.1.0.6 100", "10.2.0.5 101", "2001:db8:1::5 100"]);
    expect(await tableOf(sandbox, 101)).toEqual([
      "10.2.0.0/24 dev net1 proto kernel scope link src 10.2.0.5",
      "default via 10.2.0.1 dev net1 proto 70",
    ]);
    expect((await tableOf(sandbox, "main")).filter((line) => line.includes("net1"))).toEqual([]);
    (await callSbr(node, suite, "CHECK", sandbox, {}, resultOf(sandbox, ips))).expectSuccess();
  });

  test("routes are moved with all that they have, ECMP ones too, and given back", async () => {
    await using node = await TestNode.create();
    const found = [
      "10.3.0.0/16 via 10.1.0.2 dev net1 proto static src 10.1.0.5 metric 5 mtu lock 1300 advmss 1200 initcwnd 20",
      "10.4.0.0/16 via 192.0.2.9 dev net1 onlink",
      "10.5.0.0/16 proto 33 metric 7 nexthop via 10.1.0.2 dev net1 weight 3 nexthop via 10.1.0.3 dev net1 weight 1",
      "10.6.0.0/16 dev net1 scope link",
      "10.7.0.0/16 via inet6 2001:db8:1::9 dev net1",
      "2001:db8:8::/64 via 2001:db8:1::2 dev net1 src 2001:db8:1::5 metric 9 mtu 1400 pref high",
      "2001:db8:9::/64 metric 1024 nexthop via 2001:db8:1::2 dev net1 weight 1 nexthop via 2001:db8:1::3 dev net1 weight 1",
    ];
    const sandbox = await routedSandbox(
      node,
      found.map((route) => `route add ${route}`),
    );
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const inMain = (await tableOf(sandbox, "main")).filter((line) => line.includes("net1"));
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    const added = ["default via 10.1.0.1 dev net1 proto 70", "default via 2001:db8:1::1 dev net1 proto 70 metric 1024"];
    expect(await tableOf(sandbox, 100)).toEqual([...inMain, ...added].toSorted());
    expect(await tableOf(sandbox, "main")).toHaveLength(4);
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });

  test("an IPv6 default route that has become one of both interfaces is taken apart, and put together again", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["route append ::/0 via 2001:db8:1::1"]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await tableOf(sandbox, 100)).toContain("default via 2001:db8:1::1 dev net1 metric 1024");
    expect(await tableOf(sandbox, "main")).toContain("default via 2001:db8::1 dev eth0 metric 1024");
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });

  test("an IPv4 route that is other interfaces', too, stays whole and is copied", async () => {
    await using node = await TestNode.create();
    const route = "10.5.0.0/16 nexthop via 10.1.0.2 dev net1 weight 3 nexthop via 10.0.0.3 dev eth0 weight 1";
    const sandbox = await routedSandbox(node, [`route add ${route}`]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await tableOf(sandbox, "main")).toContain(route);
    expect(await tableOf(sandbox, 100)).toContain("10.5.0.0/16 via 10.1.0.2 dev net1");
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });

  test("the other family's link routes are neither copied nor taken away", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    const six = (await tableOf(sandbox, "main")).filter((line) => line.includes(":"));
    (await callSbr(node, suite, "ADD", sandbox, {}, resultOf(sandbox, both.slice(0, 1)))).expectSuccess();
    expect((await tableOf(sandbox, "main")).filter((line) => line.includes(":"))).toEqual(six);
    expect((await sandbox.ip("-6", "route", "show", "table", "all")).some((row) => row["table"] === "100")).toBe(false);
  });

  test("link-local addresses can still be reached over every interface", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    const rows = await sandbox.ip("-6", "route", "show", "fe80::/64", "dev", "net1");
    expect(rows).toHaveLength(1);
  });

  test("a gateway outside the address's subnet is reached on the interface", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["address flush dev net1", "address add 10.1.0.5/32 dev net1"]);
    const ips = [{ address: "10.1.0.5/32", gateway: "169.254.1.1" }];
    (await callSbr(node, suite, "ADD", sandbox, {}, resultOf(sandbox, ips))).expectSuccess();
    expect(await tableOf(sandbox, 100)).toEqual(["default via 169.254.1.1 dev net1 proto 70 onlink"]);
  });

  test("a route whose gateway lies in nobody's subnet is not lost", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, [
      "route add 169.254.1.1 dev net1 scope link",
      "route add 10.9.0.0/16 via 169.254.1.1 dev net1",
    ]);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await tableOf(sandbox, 100)).toContain("10.9.0.0/16 via 169.254.1.1 dev net1");
  });

  test("a repeated ADD changes nothing, also after more routes have come", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    const added = await snapshot(node, { sandboxes: [sandbox] });
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), added, "the second ADD changes nothing");
    await batch(sandbox, ["route add 10.9.0.0/16 dev net1"]);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await tableOf(sandbox, 100)).toContain("10.9.0.0/16 dev net1 scope link");
    expect(await rulesOf(sandbox)).toEqual(["10.1.0.5 100", "2001:db8:1::5 100"]);
  });

  test("an ADD that the kernel refuses leaves rules and routes as they were", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, [
      "route append ::/0 via 2001:db8:1::1",
      "route add 10.9.0.0/16 dev net1",
    ]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const gateways = ["224.0.0.1"];
    (await callSbr(node, suite, "ADD", sandbox, { gateways })).expectOrderlyFailure();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });

  test("with a table of somebody else's there are rules, and routes are not touched", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["route add default via 10.1.0.1 dev net1 table 5000"]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const routes = await routesOf(sandbox);
    (await callSbr(node, suite, "ADD", sandbox, { table: 5000 })).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.1.0.5 5000", "2001:db8:1::5 5000"]);
    expect(await routesOf(sandbox)).toEqual(routes);
    (await callSbr(node, suite, "CHECK", sandbox, { table: 5000 })).expectSuccess();
    (await callSbr(node, suite, "DEL", sandbox, { table: 5000 })).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
    (await callSbr(node, suite, "CHECK", sandbox, { table: 5000 })).expectError(102, /10\.1\.0\.5 to table 5000/);
  });

  test.each([
    ["a table that is still empty", []],
    ["a table that others use", ["route add default via 10.0.0.1 dev eth0 table 77"]],
  ])("somebody else's rule from the address to %s stays, and so does the table", async (_, routes) => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, [...routes, "rule add from 10.1.0.5 lookup 77"]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const table = await tableOf(sandbox, 77);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.1.0.5 100", "10.1.0.5 77", "2001:db8:1::5 100"]);
    expect(await tableOf(sandbox, 77)).toEqual(table);
    (await callSbr(node, suite, "CHECK", sandbox)).expectSuccess();
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "the second DEL changes nothing");
  });

  test("with `table`, somebody else's rule to the same one stays", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["rule add from 10.1.0.5 lookup 5000"]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    (await callSbr(node, suite, "ADD", sandbox, { table: 5000 })).expectSuccess();
    (await callSbr(node, suite, "DEL", sandbox, { table: 5000 })).expectSuccess();
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });

  test("DEL removes the rules of addresses that the interface has no more (the reference leaks them)", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node, ["rule add from 192.0.2.1 lookup 77"]);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    await batch(sandbox, ["address del 10.1.0.5/24 dev net1", "address del 2001:db8:1::5/64 dev net1"]);
    (await callSbr(node, suite, "DEL", sandbox, {}, undefined)).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["192.0.2.1 77"]);
  });

  test("DEL after the interface has gone removes its rules, and no other interface's", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    const other = {
      cniVersion: "1.0.0",
      name: "first",
      type: "sbr",
      prevResult: { cniVersion: "1.0.0", ips: [{ address: "10.0.0.5/24" }] },
    };
    const asEth0 = { containerId: "container", netns: sandbox, ifName: "eth0" };
    (await callPlugin(node, suite, "sbr", "ADD", other, asEth0)).expectSuccess();
    await batch(sandbox, ["link delete net1"]);
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.0.0.5 101"]);
    (await callSbr(node, suite, "DEL", sandbox)).expectSuccess();
    expect(await rulesOf(sandbox)).toEqual(["10.0.0.5 101"]);
    expect(await tableOf(sandbox, 101)).toContain("default via 10.0.0.1 dev eth0");
  });

  test("DEL without the namespace succeeds and makes no file there (the reference makes one, and fails)", async () => {
    await using node = await TestNode.create();
    const config = { cniVersion: "1.0.0", name: "second", type: "sbr" };
    const path = `${node.directory}/gone`;
    for (const netns of [path, "", undefined]) {
      const call = await callPlugin(node, suite, "sbr", "DEL", config, { containerId: "c", netns, ifName: "net1" });
      call.expectSuccess();
      expect(call.stderr).toBe("");
    }
    expect((await node.run(["test", "-e", path])).status).toBe(1);
  });

  test("CHECK misses a rule, the routes, and the default route", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    (await callSbr(node, suite, "CHECK", sandbox)).expectSuccess();
    // What others add to the main table is theirs.
    await batch(sandbox, ["route add 10.9.0.0/16 dev net1"]);
    (await callSbr(node, suite, "CHECK", sandbox)).expectSuccess();
    await batch(sandbox, ["route delete ::/0 table 100"]);
    (await callSbr(node, suite, "CHECK", sandbox)).expectError(102, /default route via 2001:db8:1::1 .* table 100/);
    await batch(sandbox, ["route flush table 100"]);
    (await callSbr(node, suite, "CHECK", sandbox)).expectError(102, /table 100 has no route over net1 for 10\.1\.0\.5/);
    await batch(sandbox, ["rule delete from 10.1.0.5"]);
    (await callSbr(node, suite, "CHECK", sandbox)).expectError(102, /rule .* 10\.1\.0\.5 is missing/);
  });

  test("STATUS: well where the kernel has policy rules, 50 where it does not", async () => {
    await using node = await TestNode.create();
    const config = { cniVersion: "1.1.0", name: "second", type: "sbr" };
    const before = await snapshot(node);
    (await callPlugin(node, suite, "sbr", "STATUS", config)).expectSuccess();
    // As a kernel without CONFIG_IP_MULTIPLE_TABLES answers.
    const wrapper = inject({ kind: "error", call: "sendto", errno: "EOPNOTSUPP" }, 1, followedFor(suite));
    const words = /sbr: the kernel has no policy rules: .*EOPNOTSUPP.*\nuse a kernel with CONFIG_IP_MULTIPLE_TABLES/;
    (await callPlugin(node, suite, "sbr", "STATUS", config, { wrapper })).expectError(50, words);
    expectSame(await snapshot(node), before);
  });

  test("one waits for the other: the lock is on the namespace, as the reference's", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    const holder = node.background(["flock", "--no-fork", sandbox.path, "sh", "-c", "echo held; exec sleep 1"]);
    await holder.waitFor(/held/);
    const call = await callSbr(node, suite, "ADD", sandbox);
    call.expectSuccess();
    expect(call.wallMs).toBeGreaterThan(600);
  });

  test("a container that keeps the lock cannot keep DEL from ending", async () => {
    await using node = await TestNode.create();
    const sandbox = await routedSandbox(node);
    (await callSbr(node, suite, "ADD", sandbox)).expectSuccess();
    const holder = node.background(["flock", "--no-fork", sandbox.path, "sh", "-c", "echo held; exec sleep 60"]);
    await holder.waitFor(/held/);
    const [added, deleted] = await Promise.all([
      callSbr(node, suite, "ADD", sandbox),
      callSbr(node, suite, "DEL", sandbox),
    ]);
    added.expectError(11, /locked by somebody else/);
    deleted.expectSuccess();
    expect(await rulesOf(sandbox)).toEqual([]);
  });

  test("many at once in one namespace get tables of their own", async () => {
    await using node = await TestNode.create();
    const names = Array.from({ length: 8 }, (_, index) => `many${index}`);
    const sandbox = await routedSandbox(
      node,
      names.flatMap((name, index) => [
        `link add ${name} type veth peer name far-${name}`,
        `link set far-${name} up`,
        `link set ${name} up`,
        `address add 10.5${index}.0.5/24 dev ${name}`,
      ]),
    );
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const call = async (verb: "ADD" | "DEL"): Promise<void> => {
      const calls = names.map(async (ifName, index) => {
        const ips = [{ address: `10.5${index}.0.5/24`, gateway: `10.5${index}.0.1` }];
        const config = { cniVersion: "1.0.0", name: "many", type: "sbr", prevResult: { cniVersion: "1.0.0", ips } };
        return callPlugin(node, suite, "sbr", verb, config, { containerId: "c", netns: sandbox, ifName });
      });
      for (const each of await Promise.all(calls)) each.expectSuccess();
    };
    await call("ADD");
    const tables = new Set((await rulesOf(sandbox)).map((rule) => rule.split(" ")[1]));
    expect(tables.size).toBe(8);
    await call("DEL");
    expectSame(await snapshot(node, { sandboxes: [sandbox] }), before);
  });
});
