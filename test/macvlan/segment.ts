/**
 * Containers on the segment of a node's uplink, where another host is:
 *
 *   outside[eth0 192.0.2.2] ──veth── [uplink]──macvlan──[eth0 192.0.2.10…] sandbox
 */
import type { Suite } from "../helpers/engines.ts";
import { type NetworkPlugin, TestNetwork } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";

const fourRange = [{ subnet: "192.0.2.0/24", rangeStart: "192.0.2.10", gateway: "192.0.2.2" }];
const sixRange = [{ subnet: "2001:db8:ffff::/64", rangeStart: "2001:db8:ffff::10", gateway: "2001:db8:ffff::2" }];

export const onSegment = { type: "host-local", ranges: [fourRange], routes: [{ dst: "0.0.0.0/0" }] };
export const onSegmentBoth = {
  type: "host-local",
  ranges: [fourRange, sixRange],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};

/** A macvlan network on `uplink`; `config` is what the test is about. */
export function macvlanNetwork(
  node: TestNode,
  suite: Suite,
  config: object = {},
  more: Partial<NetworkPlugin> = {},
  name = "testnet",
): TestNetwork {
  return new TestNetwork(
    node,
    "1.1.0",
    [{ suite, config: { type: "macvlan", master: "uplink", ...config }, ...more }],
    name,
  );
}
