/** CNI_NETNS that leads to the plugin's own namespace: never for ADD and CHECK (bad-environment.test.ts); DEL cleans the host's side. */
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { bridgeNetwork, dual } from "../helpers/interface-network.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { loopback } from "./bad-input.ts";

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

  test("with CNI_NETNS_OVERRIDE it is the container's, for who means it", async () => {
    await using node = await TestNode.create();
    const env = { CNI_NETNS_OVERRIDE: "True" };
    const variables = { containerId: "container", netns: node, ifName: "lo", env };
    const up = async (): Promise<boolean> => (await node.ip("link", "show", "dev", "lo"))[0]?.["flags"].includes("UP");
    (await callPlugin(node, engine, "loopback", "ADD", loopback, variables)).expectSuccess();
    expect(await up()).toBe(true);
    (await callPlugin(node, engine, "loopback", "DEL", loopback, variables)).expectSuccess();
    expect(await up()).toBe(false);
  });
});
