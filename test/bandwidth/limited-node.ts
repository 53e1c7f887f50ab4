/** Networks with bandwidth behind bridge, what is asked of their queues, and how fast they really are. */
import type { Suite } from "../helpers/engines.ts";
import { dual } from "../helpers/interface-network.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type NetworkPlugin, type TestAttachment, TestNetwork } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import type { Json, PluginCall } from "../helpers/plugin.ts";

/** bandwidth's place in the list. */
export const BANDWIDTH = 1;

export const bothWays = { ingressRate: 10_000_000, egressRate: 20_000_000 };
/** With bursts, which the reference demands. */
export const withBursts = {
  ingressRate: 10_000_000,
  ingressBurst: 1_000_000,
  egressRate: 3_000_000,
  egressBurst: 100_000,
};

export interface LimitedOptions {
  readonly version?: string;
  readonly name?: string;
  readonly runtimeConfig?: object;
  /** Who has bridge; the suite itself when left out. */
  readonly bridge?: Suite;
}

export function limitedNetwork(
  node: TestNode,
  suite: Suite,
  config: object,
  options: LimitedOptions = {},
): TestNetwork {
  const { version = "1.1.0", name = "testnet", runtimeConfig, bridge = suite } = options;
  const bandwidth: NetworkPlugin = {
    suite,
    config: { type: "bandwidth", ...config },
    runtimeConfig: runtimeConfig === undefined ? undefined : () => runtimeConfig,
  };
  // Each network has the same addresses.
  const bridgeName = name === "testnet" ? "cni0" : "cni1";
  const first = { type: "bridge", bridge: bridgeName, isDefaultGateway: true, ipam: dual };
  return new TestNetwork(node, version, [{ suite: bridge, config: first }, bandwidth], name);
}

/** ADD of all before bandwidth, then bandwidth's. */
export async function addBandwidth(network: TestNetwork, container: TestAttachment): Promise<PluginCall> {
  await network.add(container, BANDWIDTH);
  return network.addOne(BANDWIDTH, container);
}

/** The host's end of a container's pair, as the result of bridge tells it. */
export function hostEnd(container: TestAttachment): string {
  return container.result.interfaces.find((each: Json) => /^veth/.test(each.name)).name;
}

/** The ifb device that the result tells. */
export function ifbOf(container: TestAttachment): string {
  return container.result.interfaces.find((each: Json) => /^bwp/.test(each.name)).name;
}

/** The queues of a link as `tc` tells them, those left out that the kernel makes by itself. */
export async function queuesOf(where: Namespace, link: string): Promise<Json[]> {
  const rows: Json[] = JSON.parse(await where.exec(["tc", "-j", "qdisc", "show", "dev", link]));
  return rows.filter((each) => each.handle !== "0:").map(({ refcnt: _, ...row }) => row);
}

/** The filters of a link's queue, one text. */
export async function filtersOf(where: Namespace, link: string, parent = "ffff:"): Promise<string> {
  return where.exec(["tc", "filter", "show", "dev", link, "parent", parent]);
}

export async function ifbs(where: Namespace): Promise<string[]> {
  return (await where.ip("link", "show", "type", "ifb")).map((each) => each["ifname"]);
}

export interface Throughput {
  /** Mbit/s that arrived, over all. */
  readonly mean: number;
  /** Mbit/s that arrived in the first second. */
  readonly firstSecond: number;
}

/** How fast TCP is from `sender`, asked at `address`, to `receiver`, in what arrives there. */
export async function throughput(
  node: TestNode,
  sender: Namespace,
  address: string,
  receiver: Namespace,
  options: { readonly seconds?: number; readonly port?: number; readonly more?: readonly string[] } = {},
): Promise<Throughput> {
  const { seconds = 3, port = 5201, more = [] } = options;
  const server = node.background(["iperf3", "-s", "-1", "--forceflush", "-B", address, "-p", `${port}`], sender);
  await server.waitFor(/listening/i);
  const client = ["iperf3", "-c", address, "-p", `${port}`, "-R", "-J", "-i", "1", "-t", `${seconds}`, ...more];
  const report: Json = JSON.parse(await receiver.exec(client));
  await server.end();
  return {
    mean: report.end.sum_received.bits_per_second / 1e6,
    firstSecond: report.intervals[0].sum.bits_per_second / 1e6,
  };
}

/**
 * The same, of a machine that others use too: they make it slower and never faster. What falls short of `isEnough` is measured
 * again, three times in all; the last counts.
 */
export async function undisturbed(
  measure: () => Promise<Throughput>,
  isEnough: (found: Throughput) => boolean,
): Promise<Throughput> {
  for (let attempt = 1; attempt < 3; attempt++) {
    const found = await measure();
    if (isEnough(found)) return found;
  }
  return measure();
}

/** The container's own address of a family. */
export function addressOf(container: TestAttachment, family: 4 | 6): string {
  const found = container.result.ips.find((each: Json) => each.address.includes(":") === (family === 6));
  return found.address.split("/")[0];
}

export const gateways = { 4: "10.22.0.1", 6: "2001:db8:22::1" } as const;
