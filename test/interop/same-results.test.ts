/** The reference suite and this one give the same results, configuration by configuration and version by version. */
import { describe, expect, test } from "vitest";
import { compareVersions, specVersions } from "../../spec/versions.ts";
import { engines, reference, referenceMissing, type Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type NetworkPlugin, type PluginConfig, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";

interface Comparison {
  readonly name: string;
  readonly since?: string;
  readonly config: PluginConfig;
  readonly after?: readonly PluginConfig[];
  readonly runtimeConfig?: object;
  readonly args?: string;
  readonly ifName?: string;
  /** A file on the node, which a configuration refers to. */
  readonly resolvConf?: string;
  /** Whether the node has a link `uplink` for the configuration's master. */
  readonly uplink?: true;
  /** Whether the container's routes are compared too. */
  readonly routes?: true;
}

const v4 = { type: "host-local", ranges: [[{ subnet: "10.22.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] };
const v6 = { type: "host-local", ranges: [[{ subnet: "2001:db8:22::/64" }]], routes: [{ dst: "::/0" }] };
const dual = { type: "host-local", ranges: [...v4.ranges, ...v6.ranges], routes: [...v4.routes, ...v6.routes] };
const threeSets = { type: "host-local", ranges: [...v4.ranges, ...v6.ranges, [{ subnet: "2001:db8:23::/64" }]] };
const fourSets = { ...threeSets, ranges: [...threeSets.ranges, [{ subnet: "10.23.0.0/24" }]] };
/** Routes with what 1.1.0 can say of them. */
const routed = {
  ...dual,
  routes: [
    { dst: "0.0.0.0/0", mtu: 1400, advmss: 1300, priority: 77 },
    { dst: "::/0", mtu: 1400, advmss: 1300, priority: 77 },
    { dst: "198.51.100.0/24", gw: "10.22.0.1", table: 500, priority: 5 },
    { dst: "2001:db8:9::/48", gw: "2001:db8:22::1", table: 500 },
    { dst: "203.0.113.0/24", scope: 0 },
    { dst: "2001:db8:7::/48", gw: "2001:db8:22::7" },
    { dst: "2001:db8:7::/48", gw: "2001:db8:22::8" },
  ],
};
const bridge: PluginConfig = { type: "bridge", bridge: "cni0" };
const gateway: PluginConfig = { ...bridge, isGateway: true };
const staticAddresses = {
  type: "static",
  addresses: [
    { address: "10.22.0.5/24", gateway: "10.22.0.1" },
    { address: "2001:db8:22::5/64", gateway: "2001:db8:22::1" },
  ],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "192.168.7.0/24", gw: "10.22.0.9" }],
  dns: { nameservers: ["10.22.0.53"], domain: "example.net", search: ["example.net"], options: ["ndots:2"] },
};

const macvlan: PluginConfig = { type: "macvlan", master: "uplink" };

const comparisons: readonly Comparison[] = [
  { name: "bridge, IPv4", config: { ...gateway, ipam: v4 } },
  { name: "bridge, IPv4, default gateway", config: { ...bridge, isDefaultGateway: true, ipam: { ...v4, routes: [] } } },
  { name: "bridge, IPv6", config: { ...gateway, ipam: v6 } },
  { name: "bridge, both families", config: { ...gateway, isDefaultGateway: true, ipam: { ...dual, routes: [] } } },
  { name: "bridge, one IPv4 and two IPv6 addresses", since: "0.3.0", config: { ...gateway, ipam: threeSets } },
  // With isGateway the reference's has one IPv4 address only.
  { name: "bridge, two addresses of each family", since: "1.0.0", config: { ...bridge, ipam: fourSets }, routes: true },
  { name: "bridge with all that a route may say", config: { ...gateway, ipam: routed }, routes: true },
  {
    name: "bridge with a route of the link's scope",
    since: "1.0.0",
    config: {
      ...bridge,
      ipam: {
        type: "static",
        addresses: [{ address: "10.22.0.5/24" }],
        routes: [{ dst: "203.0.113.0/24", scope: 253 }],
      },
    },
    routes: true,
  },
  { name: "bridge without IPAM", since: "0.3.0", config: bridge },
  { name: "bridge, not the gateway", config: { ...bridge, ipam: v4 } },
  {
    name: "bridge with MTU and the configuration's DNS",
    config: { ...gateway, mtu: 1400, dns: { nameservers: ["192.0.2.53"] }, ipam: v4 },
  },
  {
    name: "bridge with a MAC from the runtime",
    config: { ...gateway, capabilities: { mac: true }, ipam: v4 },
    runtimeConfig: { mac: "02:00:00:00:22:05" },
  },
  { name: "bridge with masquerade", config: { ...gateway, ipMasq: true, ipMasqBackend: "nftables", ipam: v4 } },
  { name: "ptp, IPv4", config: { type: "ptp", ipam: v4 } },
  { name: "ptp, both families", config: { type: "ptp", ipMasq: true, ipMasqBackend: "nftables", ipam: dual } },
  { name: "ptp with static addresses", since: "1.0.0", config: { type: "ptp", ipam: staticAddresses } },
  {
    name: "ptp, two addresses of each family",
    since: "1.0.0",
    config: { type: "ptp", ipMasq: true, ipMasqBackend: "nftables", ipam: fourSets },
    routes: true,
  },
  { name: "ptp with all that a route may say", since: "1.0.0", config: { type: "ptp", ipam: routed }, routes: true },
  { name: "macvlan, IPv4", config: { ...macvlan, ipam: v4 }, uplink: true },
  { name: "macvlan, both families", since: "1.0.0", config: { ...macvlan, mode: "private", ipam: dual }, uplink: true },
  { name: "macvlan without IPAM", since: "0.3.0", config: macvlan, uplink: true },
  {
    name: "macvlan with MTU, MACs and the configuration's DNS",
    config: { ...macvlan, mtu: 1400, mac: "02:00:00:00:22:07", dns: { nameservers: ["192.0.2.53"] }, ipam: v4 },
    args: "IgnoreUnknown=1;MAC=02:00:00:00:22:08",
    runtimeConfig: { mac: "02:00:00:00:22:09" },
    uplink: true,
  },
  {
    name: "macvlan with a MAC from CNI_ARGS and static addresses",
    since: "1.0.0",
    config: { ...macvlan, ipam: { ...staticAddresses, dns: undefined } },
    args: "IgnoreUnknown=1;MAC=02:00:00:00:22:08",
    uplink: true,
  },
  { name: "host-local alone", config: { type: "host-local", ipam: v4 } },
  { name: "host-local, both families", config: { type: "host-local", ipam: dual } },
  {
    name: "host-local, range within a subnet, own gateway",
    config: {
      type: "host-local",
      ipam: {
        type: "host-local",
        ranges: [
          [{ subnet: "10.22.0.0/24", rangeStart: "10.22.0.20", rangeEnd: "10.22.0.30", gateway: "10.22.0.254" }],
        ],
        routes: [{ dst: "192.168.0.0/16", gw: "10.22.0.253" }],
      },
    },
  },
  {
    name: "host-local, the older form of a range",
    config: { type: "host-local", ipam: { type: "host-local", subnet: "10.22.0.0/24" } },
  },
  {
    name: "host-local, an address asked for in CNI_ARGS",
    config: { type: "host-local", ipam: v4 },
    args: "IgnoreUnknown=1;IP=10.22.0.77",
  },
  {
    name: "host-local, an address asked for in args",
    config: { type: "host-local", args: { cni: { ips: ["10.22.0.78"] } }, ipam: v4 },
  },
  {
    name: "host-local, an address asked for by the runtime",
    config: { type: "host-local", ipam: v4 },
    runtimeConfig: { ips: ["10.22.0.79/24"] },
  },
  {
    name: "host-local, ranges from the runtime",
    config: { type: "host-local", ipam: { type: "host-local" } },
    runtimeConfig: { ipRanges: [[{ subnet: "10.44.0.0/24" }]] },
  },
  {
    name: "host-local with resolvConf",
    config: { type: "host-local", ipam: { ...v4, resolvConf: "/run/cni/resolv.conf" } },
    resolvConf:
      "# resolver\nnameserver 192.0.2.53\nnameserver 192.0.2.54\ndomain example.net\nsearch a.example b.example\noptions ndots:2\n",
  },
  { name: "static", config: { type: "static", ipam: staticAddresses } },
  {
    name: "static, an address from CNI_ARGS",
    config: { type: "static", ipam: { type: "static" } },
    args: "IgnoreUnknown=1;IP=10.22.0.9/24;GATEWAY=10.22.0.1",
  },
  {
    name: "static, addresses from the runtime",
    config: { type: "static", ipam: staticAddresses },
    runtimeConfig: { ips: ["10.22.0.10/24"] },
  },
  { name: "bridge with static addresses", config: { ...bridge, ipam: staticAddresses } },
  {
    name: "portmap passes its prevResult on",
    since: "0.3.0",
    config: { type: "portmap", backend: "nftables" },
    after: [{ ...gateway, ipam: dual }],
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] },
  },
  {
    name: "tuning, all of it",
    since: "0.3.0",
    config: {
      type: "tuning",
      mac: "02:00:00:00:22:07",
      mtu: 1400,
      promisc: true,
      allmulti: true,
      txQLen: 500,
      sysctl: { "net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter": "1" },
    },
    after: [{ ...gateway, ipam: dual }],
  },
  {
    name: "tuning, from args and the runtime",
    since: "0.3.0",
    config: {
      type: "tuning",
      mac: "02:00:00:00:22:07",
      sysctl: {},
      args: { cni: { mtu: 1400, txQLen: 5, sysctl: { "net.core.somaxconn": "500" } } },
    },
    after: [{ ...gateway, ipam: v4 }],
    runtimeConfig: { mac: "02:00:00:00:22:08" },
    args: "IgnoreUnknown=1;MAC=02:00:00:00:22:09",
  },
  {
    name: "bandwidth, both directions",
    since: "0.3.0",
    config: {
      type: "bandwidth",
      ...{ ingressRate: 10_000_000, ingressBurst: 1_000_000, egressRate: 3_000_000, egressBurst: 100_000 },
    },
    after: [{ ...gateway, ipam: dual }],
  },
  {
    name: "bandwidth, of the runtime, to the container alone",
    since: "0.3.0",
    config: { type: "bandwidth" },
    after: [{ ...gateway, ipam: v4 }],
    runtimeConfig: { bandwidth: { ingressRate: 10_000_000, ingressBurst: 1_000_000 } },
  },
  {
    name: "firewall passes its prevResult on",
    since: "0.4.0",
    config: { type: "firewall", backend: "iptables", ingressPolicy: "same-bridge" },
    after: [{ ...gateway, ipam: dual }],
  },
  { name: "sbr, both families", since: "0.3.0", config: { type: "sbr" }, after: [{ ...gateway, ipam: dual }] },
  { name: "sbr, a table", since: "0.3.0", config: { type: "sbr", table: 300 }, after: [{ ...gateway, ipam: v4 }] },
  // Below 1.0.0 the reference's loopback prints the newest shape under the older version's name.
  { name: "loopback", since: "1.0.0", config: { type: "loopback" }, ifName: "lo" },
];

/** Replaces what is random by what it is, and leaves out the interfaces' MTU, which the reference never tells. */
function normalised(result: Json): Json {
  const names = new Map<string, string>();
  const interfaces = result.interfaces?.map((each: Json, index: number) => {
    if (/^veth[0-9a-f]+$/.test(each.name)) names.set(each.name, `veth#${index}`);
    const { mtu: _, ...rest } = each;
    const fixed = each.mac === "00:00:00:00:00:00" || each.mac?.startsWith("02:00:00:00:22:");
    return {
      ...rest,
      name: names.get(each.name) ?? each.name,
      mac: fixed ? each.mac : "random",
      sandbox: each.sandbox === undefined ? "" : "sandbox",
    };
  });
  return { ...result, dns: result.dns ?? {}, ...(interfaces === undefined ? {} : { interfaces }) };
}

/** A container's routes, without the link-local one, and without the mtu and advmss that the reference does not set. */
async function routesOf(sandbox: Namespace): Promise<string[]> {
  const show = "route show table all type unicast";
  const text = await sandbox.exec(["sh", "-c", `ip ${show} && ip -6 ${show}`]);
  return text
    .split("\n")
    .filter((line) => !line.startsWith("fe80::"))
    .map((line) => line.replace(/ (mtu|advmss) \d+/g, ""));
}

async function resultOf(row: Comparison, suite: Suite, version: string): Promise<Json> {
  await using node = await TestNode.create();
  if (row.uplink === true) {
    await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
    // Without it an IPv6 address would keep the reference waiting for five seconds.
    await node.exec(["ip", "link", "set", "far", "up"]);
    await node.exec(["ip", "link", "set", "uplink", "up"]);
  }
  if (row.resolvConf !== undefined) await node.exec(["tee", "/run/cni/resolv.conf"], { stdin: row.resolvConf });
  const plugins: NetworkPlugin[] = (row.after ?? []).map((config) => ({ suite, config }));
  plugins.push({
    suite,
    config: row.config,
    args: row.args,
    runtimeConfig: row.runtimeConfig === undefined ? undefined : () => row.runtimeConfig ?? {},
  });
  const network = new TestNetwork(node, version, plugins);
  const container = await network.container("container", row.ifName);
  const result = normalised(await network.add(container));
  return row.routes === true ? [result, await routesOf(container.sandbox)] : result;
}

const reason = referenceMissing();
describe.skipIf(reason !== undefined)(
  `as the reference does${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    describe.each(comparisons)("$name", (row) => {
      const versions = specVersions
        .map((each) => each.name)
        .filter((name) => compareVersions(name, row.since ?? "0.1.0") >= 0);
      test.each(versions)("%s", async (version) => {
        const theirs = await resultOf(row, reference, version);
        for (const engine of engines) expect(await resultOf(row, engine, version), engine.name).toEqual(theirs);
      });
    });
  },
);
