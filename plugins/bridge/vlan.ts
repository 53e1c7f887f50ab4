/** The VLANs of a bridge's port. */
import { addVlans, deleteVlans, listVlans } from "../../pkg/netlink/bridge-vlan.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { BridgeConfig } from "./config.ts";

/** What every port is in unless told otherwise. */
const DEFAULT_VLAN = 1;

/** Puts a new port into the VLANs that the configuration names, and takes it out of the default one. */
export function joinVlans(host: NetworkStack, port: Link, config: BridgeConfig): void {
  const { vlan, trunk } = config;
  if (vlan === 0 && trunk.length === 0) return;
  if (!config.preserveDefaultVlan) leaveVlans(host, port);
  if (vlan !== 0) addUntaggedVlan(host, port, vlan);
  if (trunk.length > 0) addVlans(host, port, trunk.map((id: number) => ({ id, pvid: false, untagged: false })));
  // A trunk alone leaves untagged frames where they were.
  if (vlan === 0) addUntaggedVlan(host, port, DEFAULT_VLAN);
}

/** Takes a port out of every VLAN it is in: a new one is in the bridge's default VLAN. */
export function leaveVlans(host: NetworkStack, port: Link): void {
  deleteVlans(host, port, listVlans(host, port));
}

/** Untagged frames of the port belong to this VLAN, and its frames leave untagged. */
export function addUntaggedVlan(host: NetworkStack, port: Link, vlan: number): void {
  addVlans(host, port, [{ id: vlan, pvid: true, untagged: true }]);
}
