/** The harness itself: what the other end-to-end tests rely on. */
import { describe, expect, test } from "vitest";
import { engines } from "./engines.ts";
import { TestNode } from "./node.ts";
import { callPlugin } from "./plugin.ts";
import { expectSame, snapshot } from "./snapshot.ts";

describe("TestNode", () => {
  test("two nodes see neither each other's links nor each other's files", async () => {
    await using one = await TestNode.create();
    await using two = await TestNode.create();
    await one.exec(["ip", "link", "add", "br0", "type", "bridge"]);
    await one.exec(["touch", "/var/lib/cni/here"]);
    expect(await one.hasLink("br0")).toBe(true);
    expect(await two.hasLink("br0")).toBe(false);
    expect((await two.run(["test", "-e", "/var/lib/cni/here"])).status).toBe(1);
  });

  test("a sandbox made after the node is reachable from it, and gone with it", async () => {
    const node = await TestNode.create();
    const sandbox = await node.sandbox();
    expect(await node.exec(["ip", "-n", sandbox.name, "-o", "link"])).toMatch(/lo:/);
    await node.dispose();
    expect((await node.run(["true"])).status).not.toBe(0);
  });

  test("the outside host reaches the node over both families", async () => {
    await using node = await TestNode.create();
    const outside = await node.outside();
    await outside.namespace.exec(["ping", "-c", "1", "-W", "2", outside.nodeAddress4]);
    await outside.namespace.exec(["ping", "-c", "1", "-W", "2", outside.nodeAddress6]);
  });
});

describe("snapshot", () => {
  const changes: readonly { readonly argv: readonly string[] }[] = [
    { argv: ["ip", "link", "add", "br0", "type", "bridge"] },
    { argv: ["ip", "address", "add", "198.51.100.1/32", "dev", "lo"] },
    { argv: ["ip", "route", "add", "blackhole", "198.51.100.0/24", "table", "77"] },
    { argv: ["ip", "rule", "add", "from", "198.51.100.1", "table", "77"] },
    { argv: ["nft", "add", "table", "inet", "left_over"] },
    { argv: ["iptables", "-t", "nat", "-N", "LEFT-OVER"] },
    { argv: ["ip6tables", "-t", "nat", "-N", "LEFT-OVER"] },
    { argv: ["sysctl", "-qw", "net.ipv4.conf.lo.route_localnet=1"] },
    { argv: ["sh", "-c", "echo left over > /var/lib/cni/file"] },
    { argv: ["mkdir", "/run/cni/directory"] },
  ];

  test.each(changes)("sees $argv", async ({ argv }) => {
    await using node = await TestNode.create();
    const before = await snapshot(node);
    expectSame(await snapshot(node), before, "an idle node does not change");
    await node.exec(argv);
    expect((await snapshot(node)).lines).not.toEqual(before.lines);
  });
});

describe.each(engines)("$name", (engine) => {
  test("a call's failure is an error object", async () => {
    await using node = await TestNode.create();
    const call = await callPlugin(node, engine, "loopback", "ADD", {
      cniVersion: "1.0.0",
      name: "net",
      type: "loopback",
    });
    call.expectError(4, /CNI_CONTAINERID/);
  });
});
