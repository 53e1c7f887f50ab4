/** The host's bridge: made when missing, kept when there. */

import { findMade } from "../../pkg/link/made-link.ts";
import { randomMac } from "../../pkg/link/random-mac.ts";
import { otherEnd, refuseAdvertisements } from "../../pkg/link/veth.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { listVlans } from "../../pkg/netlink/bridge-vlan.ts";
import { changeBridge, createBridge } from "../../pkg/netlink/create-link.ts";
import { changeLink, deleteLink, findLink, type Link, listLinks } from "../../pkg/netlink/link.ts";
import { bridgeAttributes } from "../../pkg/netlink/link-attributes.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { isWriteRefused, writeSysctl } from "../../pkg/sysctl/sysctl.ts";
import { CniError, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { BridgeConfig } from "./config.ts";
import { whileNobodyJoins } from "./joining.ts";

/** The bridge of that name. @throws CniError 7 when the name belongs to something else */
export function findBridge(host: NetworkStack, name: string): Link | undefined {
  const link = findLink(host, name);
  if (link !== undefined) requireBridge(link);
  return link;
}

function requireBridge(link: Link): void {
  if (link.kind === "bridge") return;
  throw invalidConfig(
    `"${link.name}" already exists but is not a bridge`,
    `it is of kind ${link.kind}: give "bridge" another name`,
  );
}

/**
 * The bridge, up, with what the configuration asks of it. Any number of processes may do this at once, each while it is joining
 * (joining.ts). One that this call made goes again with a failing ADD, unless others have joined it meanwhile.
 */
export function ensureBridge(host: NetworkStack, config: BridgeConfig, undo: Undo): Link {
  const found = findBridge(host, config.bridge) ?? createOrFind(host, config, undo);
  refuseAdvertisements(host, config.bridge);
  if (config.promiscMode && !found.promiscuous) changeLink(host, found, { promiscuous: true });
  if (config.usesVlans && found.kindData?.get(bridgeAttributes.vlanFiltering) !== true) filterVlans(host, found);
  if (!found.up) changeLink(host, found, { up: true });
  return found;
}

function filterVlans(host: NetworkStack, bridge: Link): void {
  try {
    changeBridge(host, bridge, { vlanFiltering: true });
  } catch (error) {
    throw isKernelError(error, "EOPNOTSUPP") ? noVlans() : error;
  }
}

function noVlans(): CniError {
  return new CniError(
    ErrorCode.UnsupportedField,
    "vlan, vlanTrunk: this kernel's bridges have no VLAN filtering",
    "use a kernel with CONFIG_BRIDGE_VLAN_FILTERING, or take the keys out of the configuration",
  );
}

function createOrFind(host: NetworkStack, config: BridgeConfig, undo: Undo): Link {
  let isOurs = true;
  undo.push(`remove bridge ${config.bridge}`, () => {
    if (isOurs) whileNobodyJoins((): void => removeUnused(host, config.bridge));
  });
  try {
    // With an address of its own from the start the bridge does not take its ports', which come and go.
    createBridge(host, {
      name: config.bridge,
      mtu: Math.max(0, config.mtu),
      mac: randomMac(),
      vlanFiltering: config.usesVlans,
    });
  } catch (error) {
    if (config.usesVlans && isKernelError(error, "EOPNOTSUPP")) throw noVlans();
    if (!isKernelError(error, "EEXIST")) throw error;
    isOurs = false;
  }
  const link = findMade(host, config.bridge);
  requireBridge(link);
  // Its address is random: a second of duplicate detection would keep the host from asking for IPv6 neighbours that long.
  if (isOurs) skipDuplicateDetection(host, link.name);
  return link;
}

function skipDuplicateDetection(host: NetworkStack, name: string): void {
  try {
    writeSysctl(host.namespace, `net/ipv6/conf/${name}/accept_dad`, "0");
  } catch (error) {
    if (!isWriteRefused(error)) throw error; // the second is lost, and nothing else
  }
}

function removeUnused(host: NetworkStack, name: string): void {
  const bridge = findBridge(host, name);
  if (bridge !== undefined && !hasPorts(host, bridge)) deleteLink(host, bridge);
}

/** Whether anything is attached to the bridge, a VLAN's gateway included. @throws KernelError */
export function hasPorts(host: NetworkStack, bridge: Link): boolean {
  return listLinks(host, { masterIndex: bridge.index }).length > 0;
}

/**
 * Whether the gateway serves anybody: the bridge has a port beside the gateway's own, in its VLAN where it has one (not 0).
 * @throws KernelError
 */
export function isUsedByOthers(host: NetworkStack, bridge: Link, gateway: Link, vlan: number): boolean {
  const own = otherEnd(host, gateway)?.index;
  return listLinks(host, { masterIndex: bridge.index }).some(
    (port) => port.index !== own && (vlan === 0 || listVlans(host, port).some((each) => each.id === vlan)),
  );
}
