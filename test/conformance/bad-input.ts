/**
 * Calls that must fail, as rows: the right code, a message that names the thing, nothing changed on the node, and never an abort.
 * The test files beside this one say `bad(…)` once for each.
 */
import { afterAll, expect, test } from "vitest";
import type { Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { TestNode } from "../helpers/node.ts";
import { type CallVariables, callPlugin, type Verb } from "../helpers/plugin.ts";
import { expectSame, type Snapshot, snapshot } from "../helpers/snapshot.ts";

/** Configurations to start from. */
export const hostLocal = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };
export const named = { cniVersion: "1.1.0", name: "testnet" };
export const loopback = { ...named, type: "loopback" };
export const bridge = { ...named, type: "bridge", bridge: "cni0", isGateway: true, ipam: hostLocal };
export const ptp = { ...named, type: "ptp", ipam: hostLocal };
export const prevResult = {
  cniVersion: "1.1.0",
  interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/none" }],
  ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 0 }],
};
export const macvlan = { ...named, type: "macvlan", master: "nowhere", ipam: hostLocal };
export const portmap = { ...named, type: "portmap", backend: "nftables", prevResult };

/** bridge with host-local and this range. */
export function withRange(range: object): object {
  return { ...bridge, ipam: { type: "host-local", ranges: [[range]] } };
}

/** A call that must fail, and how. */
export interface BadInput {
  readonly plugin: string;
  readonly what: string;
  readonly config: object | string;
  readonly code: number | readonly number[];
  readonly names: RegExp;
  readonly verb: Verb | string;
  /** Other variables than those of a good call; "$NODE" for CNI_NETNS is the node's own namespace. */
  readonly call: CallVariables;
}

/** One row: which plugin is given what, with which code it fails, and what its message has. */
export function bad(
  plugin: string,
  what: string,
  config: object | string,
  code: number | readonly number[],
  names: RegExp,
  { verb = "ADD", call = {} }: { readonly verb?: Verb | string; readonly call?: CallVariables } = {},
): BadInput {
  return { plugin, what, config, code, names, verb, call };
}

/** What the calls see: as they change nothing, one serves them all, until one does. */
interface Place {
  readonly node: TestNode;
  readonly sandbox: Namespace;
  readonly before: Snapshot;
}

/** Declares a test for each row. */
export function declareBadInput(engine: Suite, rows: readonly BadInput[]): void {
  let place: Place | undefined;
  const found = async (): Promise<Place> => {
    const node = await TestNode.create();
    const sandbox = await node.sandbox();
    return { node, sandbox, before: await snapshot(node, { sandboxes: [sandbox] }) };
  };
  afterAll(async () => {
    await place?.node.dispose();
  });
  test.each(rows)("$plugin: $what: code $code", async ({ plugin, verb, config, call, code, names }) => {
    const here = place ?? (await found());
    place = undefined;
    const { node, sandbox, before } = here;
    const variables = { containerId: "container", netns: sandbox, ifName: "eth0", ...call };
    const netns = variables.netns === "$NODE" ? node.path : variables.netns;
    const ended = await callPlugin(node, engine, plugin, verb, config, { ...variables, netns });
    try {
      expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
      place = here;
    } finally {
      if (place === undefined) await node.dispose();
    }
    const error = ended.expectError(code, names);
    expect(error.details ?? "", `what to do next, in ${ended.stdout}`).not.toBe("");
    expect(ended.stdout).not.toMatch(/aborted/);
  });
}
