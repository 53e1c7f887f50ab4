/** CNI_NETNS that leads to the plugin's own namespace: never for ADD and CHECK (bad-environment.test.ts); DEL cleans the host's side. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { bridgeNetwork, dual, linkOf } from "../helpers/interface-network.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type PluginCall, type Verb } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { loopback } from "./bad-input.ts";

/** Whether `lo` is up there. */
async function isUp(where: Namespace): Promise<boolean> {
  return (await linkOf(where, "lo")).flags.includes("UP");
}

describe.each(engines)("$name", (engine) => {
  test("DEL takes the container's namespace for gone and leaves nothing, nor does it touch the node's own interfaces", async () => {
    await using node = await TestNode.create();
    const network = bridgeNetwork(node, engine, { isGateway: true, ipMasq: true, ipam: dual });
    const first = await network.container("first");
    await network.add(first);
    await network.del(first);
    const container = await network.container("container");
    const look = () => snapshot(node, { sandboxes: [container.sandbox] });
    const before = await look();
    await network.add(container);
    const deleted = await network.delOne(0, container, { netns: node });
    deleted.expectSuccess();
    expect(deleted.stderr).toMatch(/CNI_NETNS .* own namespace by now/);
    expectSame(await look(), before);
    const variables = { containerId: "container", netns: node, ifName: "lo" };
    (await callPlugin(node, engine, "loopback", "DEL", loopback, variables)).expectSuccess();
    expectSame(await look(), before, "lo is up");
  });

  const lo = { containerId: "container", ifName: "lo" };

  test.each(["1", "true", "True"])(
    "with CNI_NETNS_OVERRIDE=%s it is the container's, for who means it",
    async (value) => {
      await using node = await TestNode.create();
      const variables = { ...lo, netns: node, env: { CNI_NETNS_OVERRIDE: value } };
      const call = (verb: Verb, more: object = {}): Promise<PluginCall> =>
        callPlugin(node, engine, "loopback", verb, { ...loopback, ...more }, variables);
      await node.exec(["ip", "link", "set", "lo", "down"]);
      const prevResult = (await call("ADD")).expectSuccess();
      expect(await isUp(node)).toBe(true);
      (await call("CHECK", { prevResult })).expectSuccess();
      (await call("DEL", { prevResult })).expectSuccess();
      expect(await isUp(node)).toBe(false);
      (await call("CHECK", { prevResult })).expectError(102, /is down/);
    },
  );

  test.each(["", "0", "false", "yes"])("with CNI_NETNS_OVERRIDE=%s it is not", async (value) => {
    await using node = await TestNode.create();
    const variables = { ...lo, netns: node, env: { CNI_NETNS_OVERRIDE: value } };
    await node.exec(["ip", "link", "set", "lo", "down"]);
    (await callPlugin(node, engine, "loopback", "ADD", loopback, variables)).expectError(8, /CNI_NETNS_OVERRIDE=1/);
    expect(await isUp(node)).toBe(false);
  });

  test("CNI_NETNS_OVERRIDE changes nothing for a container that has a namespace of its own", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    await node.exec(["ip", "link", "set", "lo", "down"]);
    const variables = { ...lo, netns: sandbox, env: { CNI_NETNS_OVERRIDE: "1" } };
    (await callPlugin(node, engine, "loopback", "ADD", loopback, variables)).expectSuccess();
    expect([await isUp(sandbox), await isUp(node)]).toEqual([true, false]);
  });
});
