/**
 * A node whose containers are routed, not masqueraded, so that only the firewall decides who reaches whom. Used by the tests of
 * firewall.
 *
 *   outside[192.0.2.2] ── node ── cni22[10.22.0.1] ── containers      (and cni23, 10.23.0.0/24)
 */
import { setTimeout } from "node:timers/promises";
import type { Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { type Outside, TestNode } from "../helpers/node.ts";
import type { PluginCall } from "../helpers/plugin.ts";

/** The position of firewall in its networks. */
export const FIREWALL = 1;

/** Hosts that forward nothing but what is accepted, each by other means. */
export const droppingHosts = {
  "iptables-nft": ["iptables-nft -P FORWARD DROP", "ip6tables-nft -P FORWARD DROP"],
  "iptables-legacy": ["iptables-legacy -P FORWARD DROP", "ip6tables-legacy -P FORWARD DROP"],
  nftables: [
    "nft 'table inet filter { chain forward { type filter hook forward priority filter; policy drop; meta mark & 0x10000 == 0x10000 accept; }; }'",
  ],
} as const;
export type DroppingHost = keyof typeof droppingHosts;

export interface FirewalledNetwork {
  readonly subnet?: number;
  readonly base?: "bridge" | "ptp";
  /** Of firewall; the node's own when left out. */
  readonly suite?: Suite;
  readonly version?: string;
}

/** Node, a way outside, and networks with firewall at their end. */
export class FirewallNode {
  readonly node: TestNode;
  readonly outside: Outside;
  readonly suite: Suite;

  private constructor(node: TestNode, outside: Outside, suite: Suite) {
    this.node = node;
    this.outside = outside;
    this.suite = suite;
  }

  static async create(suite: Suite): Promise<FirewallNode> {
    const node = await TestNode.create();
    const outside = await node.outside();
    await outside.namespace.exec(["ip", "route", "add", "10.16.0.0/12", "via", outside.nodeAddress4]);
    await outside.namespace.exec(["ip", "route", "add", "2001:db8::/32", "via", outside.nodeAddress6]);
    return new FirewallNode(node, outside, suite);
  }

  /** Drops what is forwarded. */
  async drop(host: DroppingHost): Promise<void> {
    for (const command of droppingHosts[host]) await this.node.exec(["sh", "-c", command]);
  }

  /** A network with a bridge (or ptp) of both families, and firewall with these options. */
  network(options: object = {}, more: FirewalledNetwork = {}): TestNetwork {
    const { subnet = 22, base = "bridge", suite = this.suite, version = "1.1.0" } = more;
    const ipam = {
      type: "host-local",
      ranges: [[{ subnet: `10.${subnet}.0.0/24` }], [{ subnet: `2001:db8:${subnet}::/64` }]],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
    };
    const first =
      base === "ptp" ? { type: "ptp", ipam } : { type: "bridge", bridge: `cni${subnet}`, isGateway: true, ipam };
    return new TestNetwork(
      this.node,
      version,
      [
        { suite: this.suite, config: first },
        { suite, config: { type: "firewall", ...options } },
      ],
      `net${subnet}`,
    );
  }

  /** A container that is attached. */
  async attach(network: TestNetwork, containerId: string): Promise<TestAttachment> {
    const container = await network.container(containerId);
    await network.add(container);
    return container;
  }

  /** What iptables of the usual kind has in its table filter, both families. */
  async filterTables(): Promise<string> {
    return this.node.exec(["sh", "-c", "iptables-save -t filter; ip6tables-save -t filter"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.dispose();
  }
}

/** The container's address of a family, without its prefix. */
export function addressOf(container: TestAttachment, family: 4 | 6 = 4): string {
  for (const { address } of container.result.ips)
    if (address.includes(":") === (family === 6)) return address.split("/")[0];
  throw new Error(`${container.containerId} has no IPv${family} address`);
}

/** Whether an echo comes back; a first one may be lost until neighbours know each other. */
export async function reaches(from: Namespace, address: string): Promise<boolean> {
  for (let tries = 0; tries < 3; tries++) {
    if (await answers(from, address)) return true;
    await setTimeout(50);
  }
  return false;
}

async function answers(from: Namespace, address: string): Promise<boolean> {
  return (await from.run(["ping", "-n", "-c", "1", "-W", "0.5", address])).status === 0;
}

/** What a call says on stderr about the backend that it chose. */
export function chosenBackend(call: PluginCall): string {
  return /the backend is (.*)/.exec(call.stderr)?.[1] ?? "";
}
