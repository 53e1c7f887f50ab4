/**
 * The plugins of the life-cycle tests, one row each: a new plugin joins by adding a row. matrix.ts puts every row through all
 * verbs, faults.ts through failures at every step.
 */
import { Firewalld, firewalldMissing } from "../firewall/firewalld-node.ts";
import type { Suite } from "../helpers/engines.ts";
import type { KernelAbility } from "../helpers/kernel.ts";
import type { NetworkPlugin, PluginConfig, TestAttachment } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import { comesBack, deviceOf, hostDevices } from "./host-devices.ts";

export interface PluginCase {
  /** Shown in test names. */
  readonly name: string;
  /** The oldest version of the specification in which this configuration makes sense. */
  readonly since: string;
  readonly config: PluginConfig;
  readonly runtimeConfig?: (index: number) => object;
  /** Keys that differ between containers, by their number. */
  readonly own?: (index: number) => object;
  /** Configurations of the plugins that run before this one; theirs is the prevResult that it works on. */
  readonly after?: readonly PluginConfig[];
  /** "sandbox": makes or changes an interface there; "host": works beside it (an IPAM plugin alone, a port mapping). */
  readonly works: "sandbox" | "host";
  readonly ifName?: string;
  /** CHECK cannot notice anything, so that it is not asked to fail. */
  readonly checkSeesNothing?: true;
  /** Makes what the configuration refers to on the node, such as a parent link. */
  readonly prepare?: (node: TestNode) => Promise<void>;
  /** What the kernel gives the node back when a container's namespace ends, which for virtual devices it does not. */
  readonly orphaned?: (node: TestNode, container: TestAttachment) => Promise<void>;
  /** What a kernel may lack; under one that lacks it the row runs in a virtual machine. */
  readonly needs?: KernelAbility;
  /** Why this machine cannot run the row at all, for want of a program. */
  readonly missing?: string | undefined;
  /** Another row of the plugin takes the same steps and more: faults are tried at some of this one's. */
  readonly sampled?: true;
}

const v4 = { type: "host-local", ranges: [[{ subnet: "10.22.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] };
const dual = {
  type: "host-local",
  ranges: [[{ subnet: "10.22.0.0/24" }], [{ subnet: "2001:db8:22::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const gatewayBridge: PluginConfig = { type: "bridge", bridge: "cni0", isGateway: true, ipam: v4 };
const gatewayBridgeDual: PluginConfig = { type: "bridge", bridge: "cni0", isGateway: true, ipam: dual };
const mappings = (index: number): object => ({
  portMappings: [
    { hostPort: 8080 + index, containerPort: 80, protocol: "tcp" },
    { hostPort: 8080 + index, containerPort: 53, protocol: "udp" },
  ],
});

/** A parent link. What is at its other end is down: nobody waits for duplicates of IPv6 addresses, a second each time. */
const uplink = async (node: TestNode): Promise<void> => {
  await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
  await node.exec(["ip", "link", "set", "uplink", "up"]);
};

/** The same with addresses of the host's, of the containers' subnets. */
const ownUplink = async (node: TestNode): Promise<void> => {
  await uplink(node);
  await node.exec(["ip", "address", "add", "10.22.0.200/24", "dev", "uplink"]);
  await node.exec(["ip", "address", "add", "2001:db8:22::200/64", "dev", "uplink", "nodad"]);
};

/** A parent link with carrier: there might be somebody to ask. */
const liveUplink = async (node: TestNode): Promise<void> => {
  await uplink(node);
  await node.exec(["ip", "link", "set", "far", "up"]);
};

/** What flanneld would write; it does not masquerade, so that the delegate does. */
async function subnetFile(node: TestNode): Promise<void> {
  const four = "FLANNEL_NETWORK=10.22.0.0/16\nFLANNEL_SUBNET=10.22.0.1/24\n";
  const six = "FLANNEL_IPV6_NETWORK=2001:db8:22::/56\nFLANNEL_IPV6_SUBNET=2001:db8:22::1/64\n";
  await node.exec(["tee", "/run/cni/subnet.env"], { stdin: `${four}${six}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n` });
}

/** A firewalld with the zone in use: its chains stay from the first time on. */
async function firewalld(node: TestNode): Promise<void> {
  const running = await Firewalld.startOn(node);
  for (const verb of ["add", "remove"]) await running.command("--zone=trusted", `--${verb}-source=192.0.2.99`);
}

export const pluginCases: readonly PluginCase[] = [
  { name: "loopback", since: "0.1.0", config: { type: "loopback" }, works: "sandbox", ifName: "lo" },
  { name: "host-local", since: "0.1.0", config: { type: "host-local", ipam: v4 }, works: "host", sampled: true },
  { name: "host-local, both families", since: "0.1.0", config: { type: "host-local", ipam: dual }, works: "host" },
  {
    name: "static",
    since: "0.1.0",
    config: {
      type: "static",
      ipam: { type: "static", addresses: [{ address: "10.22.0.5/24", gateway: "10.22.0.1" }] },
    },
    works: "host",
    checkSeesNothing: true,
  },
  { name: "bridge", since: "0.1.0", config: gatewayBridge, works: "sandbox", sampled: true },
  {
    name: "bridge without IPAM",
    since: "0.3.0",
    config: { type: "bridge", bridge: "cni0" },
    works: "sandbox",
    sampled: true,
  },
  {
    name: "bridge, both families, nftables masquerade",
    since: "0.1.0",
    config: { ...gatewayBridgeDual, ipMasq: true, ipMasqBackend: "nftables" },
    works: "sandbox",
  },
  {
    name: "bridge, both families, iptables masquerade",
    since: "0.1.0",
    config: { ...gatewayBridgeDual, ipMasq: true, ipMasqBackend: "iptables" },
    works: "sandbox",
  },
  { name: "ptp", since: "0.1.0", config: { type: "ptp", ipam: v4 }, works: "sandbox", sampled: true },
  {
    name: "macvlan, both families",
    since: "0.1.0",
    config: { type: "macvlan", master: "uplink", ipam: dual },
    works: "sandbox",
    prepare: uplink,
  },
  {
    name: "macvlan without IPAM",
    since: "0.3.0",
    config: { type: "macvlan", master: "uplink", mode: "private" },
    works: "sandbox",
    sampled: true,
    prepare: uplink,
  },
  {
    name: "macvlan, both families, with a host shim",
    since: "0.1.0",
    config: { type: "macvlan", master: "uplink", hostShim: true, ipam: dual },
    works: "sandbox",
    prepare: ownUplink,
  },
  {
    name: "macvlan, both families, addresses probed",
    since: "0.1.0",
    config: { type: "macvlan", master: "uplink", probeAddresses: "fast", ipam: dual },
    works: "sandbox",
    sampled: true,
    prepare: liveUplink,
  },
  {
    name: "ipvlan, both families",
    since: "0.1.0",
    config: { type: "ipvlan", master: "uplink", ipam: dual },
    works: "sandbox",
    needs: "ipvlan",
    prepare: uplink,
  },
  {
    name: "ipvlan without IPAM",
    since: "0.3.0",
    config: { type: "ipvlan", master: "uplink", mode: "l3" },
    works: "sandbox",
    sampled: true,
    needs: "ipvlan",
    prepare: uplink,
  },
  {
    name: "ptp, both families, nftables masquerade",
    since: "0.1.0",
    config: { type: "ptp", ipMasq: true, ipMasqBackend: "nftables", ipam: dual },
    works: "sandbox",
  },
  {
    name: "ptp, both families, iptables masquerade",
    since: "0.1.0",
    config: { type: "ptp", ipMasq: true, ipMasqBackend: "iptables", ipam: dual },
    works: "sandbox",
    sampled: true,
  },
  {
    name: "tap, both families",
    since: "0.1.0",
    config: { type: "tap", mtu: 1400, owner: 1000, group: 1000, ipam: dual },
    works: "sandbox",
  },
  {
    name: "tap without IPAM",
    since: "0.3.0",
    config: { type: "tap", multiQueue: true },
    works: "sandbox",
    sampled: true,
  },
  {
    name: "dummy, both families",
    since: "0.1.0",
    config: { type: "dummy", ipam: dual },
    works: "sandbox",
    needs: "dummy",
  },
  {
    name: "vlan, both families",
    since: "0.1.0",
    config: { type: "vlan", master: "uplink", vlanId: 100, ipam: dual },
    // The kernel has each VLAN of a parent once.
    own: (index) => ({ vlanId: 100 + index }),
    works: "sandbox",
    needs: "vlan",
    prepare: uplink,
  },
  {
    name: "vlan without IPAM",
    since: "0.3.0",
    config: { type: "vlan", master: "uplink", vlanId: 100 },
    own: (index) => ({ vlanId: 100 + index }),
    works: "sandbox",
    sampled: true,
    needs: "vlan",
    prepare: uplink,
  },
  {
    name: "host-device, both families",
    since: "0.1.0",
    config: { type: "host-device", device: "spare", ipam: dual },
    own: (index) => ({ device: deviceOf(index) }),
    works: "sandbox",
    prepare: hostDevices,
    orphaned: comesBack,
  },
  {
    name: "host-device without IPAM",
    since: "0.3.0",
    config: { type: "host-device", device: "spare" },
    own: (index) => ({ device: deviceOf(index) }),
    works: "sandbox",
    sampled: true,
    prepare: hostDevices,
    orphaned: comesBack,
  },
  {
    name: "portmap, nftables",
    since: "0.3.0",
    config: { type: "portmap", backend: "nftables", capabilities: { portMappings: true } },
    after: [gatewayBridgeDual],
    runtimeConfig: mappings,
    works: "host",
  },
  {
    name: "portmap, nftables, after ptp",
    since: "0.3.0",
    config: { type: "portmap", backend: "nftables", capabilities: { portMappings: true } },
    after: [{ type: "ptp", ipam: dual }],
    runtimeConfig: mappings,
    works: "host",
    sampled: true,
  },
  {
    name: "portmap, iptables",
    since: "0.3.0",
    config: { type: "portmap", backend: "iptables", capabilities: { portMappings: true } },
    after: [gatewayBridgeDual],
    runtimeConfig: mappings,
    works: "host",
  },
  {
    name: "firewall, nftables",
    since: "0.4.0",
    config: { type: "firewall", backend: "nftables", ingressPolicy: "isolated" },
    after: [gatewayBridgeDual],
    works: "host",
  },
  {
    name: "firewall, iptables",
    since: "0.4.0",
    config: { type: "firewall", backend: "iptables", ingressPolicy: "isolated" },
    after: [gatewayBridgeDual],
    works: "host",
  },
  {
    name: "firewall, firewalld",
    since: "0.4.0",
    config: { type: "firewall", backend: "firewalld", ingressPolicy: "isolated" },
    after: [gatewayBridgeDual],
    works: "host",
    prepare: firewalld,
    missing: firewalldMissing,
  },
  {
    name: "tuning",
    since: "0.3.0",
    config: {
      type: "tuning",
      mtu: 1400,
      promisc: true,
      allmulti: true,
      txQLen: 500,
      sysctl: {
        "net.ipv4.conf.IFNAME.arp_filter": "1",
        "net.ipv6.conf.IFNAME.accept_ra": "0",
        "net.core.somaxconn": "500",
      },
    },
    after: [gatewayBridgeDual],
    runtimeConfig: (index) => ({ mac: `02:00:00:00:00:${10 + index}` }),
    works: "sandbox",
  },
  {
    name: "bandwidth",
    since: "0.3.0",
    config: { type: "bandwidth", capabilities: { bandwidth: true } },
    after: [gatewayBridgeDual],
    runtimeConfig: (index) => ({ bandwidth: { ingressRate: 10_000_000 + index, egressRate: 20_000_000 } }),
    works: "host",
  },
  {
    name: "bandwidth, but for some subnets",
    since: "0.3.0",
    config: {
      type: "bandwidth",
      ...{ ingressRate: 10_000_000, ingressBurst: 1_000_000, egressRate: 20_000_000, egressBurst: 1_000_000 },
      unshapedSubnets: ["10.0.0.0/8", "2001:db8::/32"],
    },
    after: [gatewayBridgeDual],
    works: "host",
    sampled: true,
  },
  {
    name: "sbr, both families",
    since: "0.3.0",
    config: { type: "sbr", addSourceHints: true },
    after: [gatewayBridgeDual],
    works: "sandbox",
  },
  {
    name: "sbr with somebody else's table",
    since: "0.3.0",
    config: { type: "sbr", table: 4000000000 },
    after: [gatewayBridgeDual],
    works: "sandbox",
    sampled: true,
  },
  {
    name: "vrf, both families",
    since: "0.3.1",
    config: { type: "vrf", vrfname: "blue" },
    after: [{ type: "ptp", ipam: dual }],
    works: "sandbox",
    needs: "vrf",
  },
  {
    name: "flannel, both families",
    since: "0.1.0",
    config: {
      type: "flannel",
      subnetFile: "/run/cni/subnet.env",
      delegate: { bridge: "cni0", isDefaultGateway: true, ipMasqBackend: "nftables" },
    },
    works: "sandbox",
    prepare: subnetFile,
  },
];

/** The list that a case's network is made of; the case's own plugin is the last. */
export function pluginsOf(row: PluginCase, suite: Suite): NetworkPlugin[] {
  const before: NetworkPlugin[] = (row.after ?? []).map((config) => ({ suite, config }));
  return [...before, { suite, config: row.config, runtimeConfig: row.runtimeConfig, own: row.own }];
}
