/** The gateway of a network that has a VLAN: an interface of its own beside the bridge. */

import { textDigest } from "../../pkg/codec/sha512.ts";
import { findMade } from "../../pkg/link/made-link.ts";
import { randomMac } from "../../pkg/link/random-mac.ts";
import { otherEnd, prepareHostEnd } from "../../pkg/link/veth.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { createVeth } from "../../pkg/netlink/create-link.ts";
import { changeLink, deleteLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { isUsedByOthers } from "./bridge-device.ts";
import type { BridgeConfig } from "./config.ts";
import { whileNobodyJoins } from "./joining.ts";
import { joinGatewayVlan } from "./vlan.ts";

/** The name of the interface that has the gateway's addresses. */
export function gatewayName(bridge: Link, config: BridgeConfig): string {
  return config.vlan === 0 ? bridge.name : `${bridge.name}.${config.vlan}`;
}

/**
 * `<bridge>.<vlan>`: one end of a pair whose other end is the bridge's port in that VLAN. Never removed by DEL. Being up says that
 * it is complete: what a killed ADD began is finished. An interface of that name that is no such pair is taken as it is.
 */
export function ensureVlanGateway(host: NetworkStack, bridge: Link, config: BridgeConfig, undo: Undo): Link {
  const name = gatewayName(bridge, config);
  const found = findLink(host, name) ?? createVlanGateway(host, bridge, name, config, undo);
  const port = otherEnd(host, found);
  if (port === undefined || (found.up && port.up && port.masterIndex === bridge.index)) return found;
  prepareHostEnd(host, name);
  changeLink(host, port, { masterIndex: bridge.index, up: true });
  joinGatewayVlan(host, port, config);
  changeLink(host, found, { up: true });
  return found;
}

function createVlanGateway(host: NetworkStack, bridge: Link, name: string, config: BridgeConfig, undo: Undo): Link {
  const portName = `veth${textDigest(name, 8)}`;
  let isOurs = true;
  undo.push(`remove ${name}`, () => {
    if (!isOurs) return;
    whileNobodyJoins((): void => {
      const made = findLink(host, name);
      if (made !== undefined && !isUsedByOthers(host, bridge, made, config.vlan)) deleteLink(host, made);
    });
  });
  try {
    createVeth(host, {
      name,
      mtu: Math.max(0, config.mtu),
      mac: randomMac(),
      peer: { name: portName, mac: undefined, namespace: undefined },
    });
  } catch (error) {
    isOurs = false;
    if (!isKernelError(error, "EEXIST")) throw error;
  }
  return findMade(host, name);
}
