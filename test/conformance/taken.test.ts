/** What is wanted and somebody has: addresses, names of interfaces, ports. The holder is named and not disturbed. */
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../spec/errors.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type PluginCall } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { bridge, portmap, ptp, withRange } from "./bad-input.ts";

/** ADD by bridge. */
async function attach(
  node: TestNode,
  engine: Suite,
  config: object,
  containerId: string,
  sandbox: Namespace,
): Promise<PluginCall> {
  return callPlugin(node, engine, "bridge", "ADD", config, { containerId, netns: sandbox, ifName: "eth0" });
}

/** ADD by bridge that changes nothing. */
async function refused(
  node: TestNode,
  engine: Suite,
  config: object,
  containerId: string,
  sandbox: Namespace,
): Promise<PluginCall> {
  const before = await snapshot(node, { sandboxes: [sandbox] });
  const call = await attach(node, engine, config, containerId, sandbox);
  expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
  return call;
}

describe.each(engines)("$name", (engine) => {
  test("an exhausted pool: code 100, and nothing is left of the ADD that found it so", async () => {
    await using node = await TestNode.create();
    const config = withRange({ subnet: "10.1.0.0/30" });
    const first = await node.sandbox();
    (await attach(node, engine, config, "first", first)).expectSuccess();
    const second = await node.sandbox();
    const call = await refused(node, engine, config, "second", second);
    call.expectError(ErrorCode.PoolExhausted, /10\.1\.0/);
  });

  test("an exhausted pool: STATUS says so with code 50", async () => {
    await using node = await TestNode.create();
    const config = withRange({ subnet: "10.1.0.0/30" });
    const first = await node.sandbox();
    (await callPlugin(node, engine, "bridge", "STATUS", config, {})).expectSuccess();
    (await attach(node, engine, config, "first", first)).expectSuccess();
    (await callPlugin(node, engine, "bridge", "STATUS", config, {})).expectError(
      ErrorCode.NotAvailable,
      /10\.1\.0|address/,
    );
  });

  test("a requested address that somebody has: the holder is named", async () => {
    await using node = await TestNode.create();
    const config = { ...bridge, args: { cni: { ips: ["10.1.0.77"] } } };
    const first = await node.sandbox();
    (await attach(node, engine, config, "holder", first)).expectSuccess();
    const second = await node.sandbox();
    const call = await refused(node, engine, config, "second", second);
    call.expectError(ErrorCode.Taken, /10\.1\.0\.77/);
    call.expectError(ErrorCode.Taken, /holder/);
  });

  test("an interface name that the sandbox has already: code 101", async () => {
    await using node = await TestNode.create();
    const sandbox = await node.sandbox();
    await sandbox.exec(["ip", "link", "add", "eth0", "type", "bridge"]);
    const before = await snapshot(node, { sandboxes: [sandbox] });
    const call = await callPlugin(node, engine, "ptp", "ADD", ptp, {
      containerId: "container",
      netns: sandbox,
      ifName: "eth0",
    });
    call.expectError(ErrorCode.Taken, /eth0/);
    const left = (await snapshot(node, { sandboxes: [sandbox] })).lines.filter((line) => !line.startsWith("file:"));
    expect(left).toEqual(before.lines.filter((line) => !line.startsWith("file:")));
  });

  test("a bridge's name that is another kind of link", async () => {
    await using node = await TestNode.create();
    await node.exec(["ip", "link", "add", "cni0", "type", "veth", "peer", "name", "other"]);
    const sandbox = await node.sandbox();
    const used = { containerId: "first", netns: sandbox, ifName: "eth0" };
    (await callPlugin(node, engine, "bridge", "ADD", { ...bridge, bridge: "cni1" }, used)).expectSuccess();
    (await callPlugin(node, engine, "bridge", "DEL", { ...bridge, bridge: "cni1" }, used)).expectSuccess();
    const call = await refused(node, engine, bridge, "container", sandbox);
    call.expectOrderlyFailure();
    expect(call.stdout).toMatch(/cni0/);
  });

  // The iptables backend keeps the reference's rules, in which the first holder keeps the port.
  test("a host port that another container has (nftables): code 101, the holder is named", async () => {
    await using node = await TestNode.create();
    const taken = async (containerId: string): Promise<PluginCall> => {
      const sandbox = await node.sandbox();
      const call = { containerId, netns: sandbox, ifName: "eth0" };
      const result = (await callPlugin(node, engine, "bridge", "ADD", bridge, call)).expectSuccess();
      const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] };
      const config = { ...portmap, backend: "nftables", prevResult: result, runtimeConfig };
      return callPlugin(node, engine, "portmap", "ADD", config, call);
    };
    (await taken("holder")).expectSuccess();
    const rules = async (): Promise<string> =>
      (await node.exec(["nft", "list", "ruleset"])).replaceAll(/packets \d+ bytes \d+/g, "");
    const before = await rules();
    (await taken("second")).expectError(ErrorCode.Taken, /8080[\s\S]*holder|holder[\s\S]*8080/);
    expect(await rules(), "the holder's rules are as they were").toBe(before);
  });
});
