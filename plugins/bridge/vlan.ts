/** The VLANs of a bridge's port. */
import { addVlans, type BridgeVlan, deleteVlans, listVlans } from "../../pkg/netlink/bridge-vlan.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { drift } from "../../spec/errors.ts";
import type { BridgeConfig } from "./config.ts";

/** What every port is in unless told otherwise. */
const DEFAULT_VLAN = 1;

/** The VLANs of a port that the configuration names; none where it does not speak of VLANs. */
export function wantedVlans(config: BridgeConfig): BridgeVlan[] {
  const { vlan, trunk } = config;
  if (vlan === 0 && trunk.length === 0) return [];
  // A trunk alone leaves untagged frames where they were.
  const native: BridgeVlan = { id: vlan === 0 ? DEFAULT_VLAN : vlan, pvid: true, untagged: true };
  const wanted: BridgeVlan[] = [native];
  for (const id of trunk) if (id !== native.id) wanted.push({ id, pvid: false, untagged: false });
  return wanted;
}

/** Puts a port into the VLANs that the configuration names, and takes it out of all others: a new port is in the default one. */
export function joinVlans(host: NetworkStack, port: Link, config: BridgeConfig): void {
  const wanted = wantedVlans(config);
  if (wanted.length > 0) setVlans(host, port, wanted, config);
}

/** Takes out first what is not wanted: the kernel moves the untagged VLAN without a gap then. Idempotent. */
function setVlans(host: NetworkStack, port: Link, wanted: readonly BridgeVlan[], config: BridgeConfig): void {
  const others = listVlans(host, port).filter((have) => !wanted.some((each) => each.id === have.id));
  if (!config.preserveDefaultVlan) deleteVlans(host, port, others);
  addVlans(host, port, wanted);
}

/** Puts the port of a VLAN's gateway into that VLAN alone, or it would hear, and answer into its own VLAN, what is sent in another. */
export function joinGatewayVlan(host: NetworkStack, port: Link, config: BridgeConfig): void {
  setVlans(host, port, [{ id: config.vlan, pvid: true, untagged: true }], config);
}

/** @throws CniError 102 naming the VLAN that the port is not in as ADD put it */
export function verifyVlans(host: NetworkStack, port: Link, config: BridgeConfig): void {
  const wanted = wantedVlans(config);
  if (wanted.length === 0) return;
  const have = listVlans(host, port);
  for (const { id, pvid, untagged } of wanted) {
    if (have.some((each) => each.id === id && each.pvid === pvid && each.untagged === untagged)) continue;
    throw drift(`bridge port ${port.name} is not in VLAN ${id}${pvid ? ", untagged" : ""}`);
  }
}
