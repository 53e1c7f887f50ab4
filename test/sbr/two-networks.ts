/**
 * A container on two networks, the second one with sbr, and a host outside that reaches both. The node is strict: it drops what comes
 * from an interface that leads not back to its source.
 *
 *   outside 192.0.2.2 ── node ── cni0 10.22.0.0/24 ── [eth0] container       default route
 *                            └── cni1 10.23.0.0/24 ── [net1]
 */
import type { Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type PluginConfig, type TestAttachment, TestNetwork } from "../helpers/network.ts";
import type { Outside, TestNode } from "../helpers/node.ts";

/** sbr's place in the second network's list. */
export const SBR = 1;

export interface TwoNetworks {
  readonly second: TestNetwork;
  /** Attached but for sbr. */
  readonly container: TestAttachment;
  readonly sandbox: Namespace;
  readonly outside: Outside;
}

export const secondSubnets = {
  type: "host-local",
  ranges: [[{ subnet: "10.23.0.0/24" }], [{ subnet: "2001:db8:23::/64" }]],
};

const strict = [
  "add table inet strict",
  "add chain inet strict prerouting { type filter hook prerouting priority raw; }",
  "add rule inet strict prerouting icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept",
  'add rule inet strict prerouting iifname "cni*" fib saddr . iif oif missing drop',
];

/** `ipam` is the second network's. */
export async function twoNetworks(
  node: TestNode,
  suite: Suite,
  config: object = {},
  ipam: PluginConfig = secondSubnets,
): Promise<TwoNetworks> {
  const outside = await node.outside();
  for (const [subnets, via] of [
    [["10.22.0.0/24", "10.23.0.0/24"], outside.nodeAddress4],
    [["2001:db8:22::/64", "2001:db8:23::/64"], outside.nodeAddress6],
  ] as const) {
    for (const subnet of subnets) await outside.namespace.exec(["ip", "route", "add", subnet, "via", via]);
  }
  await node.exec(["nft", "-f", "-"], { stdin: `${strict.join("\n")}\n` });
  const first = new TestNetwork(
    node,
    "1.1.0",
    [
      {
        suite,
        config: {
          type: "bridge",
          bridge: "cni0",
          isDefaultGateway: true,
          ipam: { ...secondSubnets, ranges: [[{ subnet: "10.22.0.0/24" }], [{ subnet: "2001:db8:22::/64" }]] },
        },
      },
    ],
    "first",
  );
  const second = new TestNetwork(
    node,
    "1.1.0",
    [
      { suite, config: { type: "bridge", bridge: "cni1", isGateway: ipam.type === "host-local", ipam } },
      { suite, config: { type: "sbr", ...config } },
    ],
    "second",
  );
  const eth0 = await first.container("container");
  await first.add(eth0);
  const container = await second.container("container", "net1", eth0.sandbox);
  await second.add(container, SBR);
  return { second, container, sandbox: eth0.sandbox, outside };
}
