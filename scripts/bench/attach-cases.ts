/** Cases of a network's plugins called in order for ADD and in reverse for DEL, each as a process, as containerd and CRI-O do. */
import type { BenchNode, Container, PluginConfig } from "./bench-node.ts";
import type { Budget, Case, Course } from "./case.ts";
import type { Timing } from "./timed-process.ts";

interface Network {
  readonly title: string;
  /** Whether the node has an interface `uplink` that leads to a host outside. */
  readonly uplink?: true;
  /** Whether the node has devices `nic8080`, `nic8081`… to give away, one for each host port. */
  readonly devices?: true;
  readonly plugins: (node: BenchNode, hostPort: number) => readonly PluginConfig[];
  /** What they delegate to is not named here: each suite has host-local. */
  readonly types: readonly string[];
  readonly add: Budget;
  readonly del: Budget;
}

const four = [{ subnet: "10.88.0.0/16" }];
const six = [{ subnet: "fd00:88::/64" }];

function ipam(node: BenchNode, ranges: readonly object[]): object {
  return { type: "host-local", dataDir: `${node.stateDirectory}/addresses`, ranges };
}

/** With bursts, which the reference demands. */
const limits: PluginConfig = {
  type: "bandwidth",
  ingressRate: 10_000_000,
  ingressBurst: 1_000_000,
  egressRate: 10_000_000,
  egressBurst: 1_000_000,
};

const quick: Budget = { wall: 0.3, cpu: 0.3 };

/** The same network in both suites, with nf_tables where packets are rewritten. */
const networks: readonly Network[] = [
  {
    title: "bridge, IPv4",
    types: ["bridge"],
    plugins: (node) => [{ type: "bridge", ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    title: "bridge, IPv4 + IPv6",
    types: ["bridge"],
    plugins: (node) => [{ type: "bridge", ipam: ipam(node, [four, six]) }],
    add: quick,
    del: {},
  },
  {
    title: "bridge, gateway, IPv4 + IPv6",
    types: ["bridge"],
    plugins: (node) => [{ type: "bridge", isDefaultGateway: true, ipam: ipam(node, [four, six]) }],
    add: quick,
    del: {},
  },
  {
    title: "bridge, gateway, masquerade, IPv4 + IPv6",
    types: ["bridge"],
    plugins: (node) => [masqueradingBridge(node)],
    add: quick,
    del: {},
  },
  {
    title: "ptp, IPv4",
    types: ["ptp"],
    plugins: (node) => [{ type: "ptp", ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    title: "ptp, masquerade, IPv4 + IPv6",
    types: ["ptp"],
    plugins: (node) => [{ type: "ptp", ipMasq: true, ipMasqBackend: "nftables", ipam: ipam(node, [four, six]) }],
    add: quick,
    del: {},
  },
  {
    title: "tap, IPv4",
    types: ["tap"],
    plugins: (node) => [{ type: "tap", ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    // What keeps the reference from running `ip`.
    title: "tap with owner and group, IPv4",
    types: ["tap"],
    plugins: (node) => [{ type: "tap", owner: 0, group: 0, ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    title: "macvlan, IPv4",
    uplink: true,
    types: ["macvlan"],
    plugins: (node) => [{ type: "macvlan", master: "uplink", ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    title: "macvlan without addresses",
    uplink: true,
    types: ["macvlan"],
    plugins: () => [{ type: "macvlan", master: "uplink" }],
    add: quick,
    del: {},
  },
  {
    title: "host-device, IPv4",
    devices: true,
    types: ["host-device"],
    plugins: (node, hostPort) => [{ type: "host-device", device: `nic${hostPort}`, ipam: ipam(node, [four]) }],
    add: quick,
    del: {},
  },
  {
    title: "chain bridge + portmap",
    types: ["bridge", "portmap"],
    plugins: (node, hostPort) => [masqueradingBridge(node), portmap(hostPort, { backend: "nftables" })],
    add: { wall: 0.3, cpu: 0.3 },
    del: { wall: 0.4 },
  },
  {
    title: "chain bridge + firewall",
    types: ["bridge", "firewall"],
    // Each suite's own choice of backend on a host that filters nothing.
    plugins: (node) => [{ type: "bridge", ipam: ipam(node, [four, six]) }, { type: "firewall" }],
    add: { wall: 0.2, cpu: 0.2 },
    del: { wall: 0.4 },
  },
  {
    title: "chain bridge + firewall, iptables, same-bridge",
    types: ["bridge", "firewall"],
    plugins: (node) => [
      { type: "bridge", ipam: ipam(node, [four, six]) },
      { type: "firewall", backend: "iptables", ingressPolicy: "same-bridge" },
    ],
    add: { wall: 0.2, cpu: 0.3 },
    del: { wall: 0.7 },
  },
  {
    title: "chain bridge + tuning",
    types: ["bridge", "tuning"],
    plugins: (node) => [
      { type: "bridge", ipam: ipam(node, [four]) },
      { type: "tuning", mtu: 1400, promisc: true, sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } },
    ],
    add: quick,
    del: {},
  },
  {
    title: "chain bridge + sbr",
    types: ["bridge", "sbr"],
    plugins: (node) => [{ type: "bridge", isDefaultGateway: true, ipam: ipam(node, [four, six]) }, { type: "sbr" }],
    add: quick,
    del: {},
  },
  {
    title: "chain bridge + bandwidth",
    types: ["bridge", "bandwidth"],
    plugins: (node) => [{ type: "bridge", ipam: ipam(node, [four]) }, limits],
    add: quick,
    del: {},
  },
  {
    title: "chain loopback + bridge + portmap + firewall + tuning + bandwidth",
    types: ["loopback", "bridge", "portmap", "firewall", "tuning", "bandwidth"],
    // Each suite's own choice of backend, as most nodes have it.
    plugins: (node, hostPort) => [
      { type: "loopback" },
      { type: "bridge", isDefaultGateway: true, ipMasq: true, ipam: ipam(node, [four, six]) },
      portmap(hostPort, {}),
      { type: "firewall" },
      { type: "tuning", sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } },
      limits,
    ],
    add: { wall: 0.2, cpu: 0.2 },
    del: { wall: 0.4 },
  },
];

function masqueradingBridge(node: BenchNode): PluginConfig {
  const ranges = ipam(node, [four, six]);
  return { type: "bridge", isDefaultGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam: ranges };
}

function portmap(hostPort: number, backend: object): PluginConfig {
  return {
    type: "portmap",
    ...backend,
    runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: "tcp" }] },
  };
}

function sum(timings: readonly Timing[]): Timing {
  const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return { wallMs: total(timings.map((each) => each.wallMs)), cpuMs: total(timings.map((each) => each.cpuMs)) };
}

interface Attached {
  readonly timing: Timing;
  /** For DEL. */
  readonly result: unknown;
}

/** Attaches a container; the time of all plugins together. */
function addAll(node: BenchNode, plugins: readonly PluginConfig[], container: Container): Attached {
  const timings: Timing[] = [];
  let result: unknown;
  for (const plugin of plugins) {
    if (plugin.type === "loopback") {
      timings.push(node.call(plugin, "ADD", container, "lo")); // an attachment of its own
      continue;
    }
    const outcome = node.call(result === undefined ? plugin : { ...plugin, prevResult: result }, "ADD", container);
    timings.push(outcome);
    result = JSON.parse(outcome.stdout);
  }
  return { timing: sum(timings), result };
}

function delAll(node: BenchNode, plugins: readonly PluginConfig[], container: Container, result: unknown): Timing {
  const timings: Timing[] = [];
  for (const plugin of plugins.toReversed()) {
    if (plugin.type === "loopback") timings.push(node.call(plugin, "DEL", container, "lo"));
    else timings.push(node.call({ ...plugin, prevResult: result }, "DEL", container));
  }
  return sum(timings);
}

/** Another container stays attached throughout, as on any node in use: bridge, sets and chains are there already. */
async function prepareNetwork(node: BenchNode, network: Network): Promise<Course> {
  if (network.uplink === true) node.outside();
  if (network.devices === true) node.devices(["nic8080", "nic8081"]);
  addAll(node, network.plugins(node, 8081), node.container("resident"));
  const plugins = network.plugins(node, 8080);
  const container = node.container("measured");
  return {
    round: async () => {
      const { timing, result } = addAll(node, plugins, container);
      return [timing, delAll(node, plugins, container, result)];
    },
  };
}

function attachCase(network: Network): Case {
  return {
    title: network.title,
    rows: [
      { title: "ADD", budget: network.add },
      { title: "DEL", budget: network.del },
    ],
    plugins: [...network.types, "host-local"],
    tools: network.types.includes("firewall") || network.types.includes("tap") ? "all" : "nft",
    heavy: false,
    prepare: (node) => prepareNetwork(node, network),
  };
}

export const attachCases: readonly Case[] = networks.map(attachCase);
