/**
 * The shim: an interface of the host on the same parent as a network's macvlans. Found by its alias, or, where an ADD was killed before
 * it had one, by all that follows from network and parent.
 */

import { CniError, ErrorCode } from "../../spec/errors.ts";
import { findMade } from "../link/made-link.ts";
import { isKernelError } from "../linux/errno.ts";
import { Attributes } from "../netlink/attributes.ts";
import { createLink } from "../netlink/create-link.ts";
import { changeLink, type Link, listLinks } from "../netlink/link.ts";
import { macvlanAttributes, macvlanMode } from "../netlink/link-attributes.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { ensureSysctl, writeSysctls } from "../sysctl/sysctl.ts";
import { isShimTag, shimMac, shimName, shimTag } from "./names.ts";

const KIND = "macvlan";

/**
 * The network's shim on the parent, up; made when missing. `withSix`: for IPv6 too. Called under the lock. Idempotent.
 * @throws CniError 101 when something else has its name or its hardware address; KernelError
 */
export function ensureShim(host: NetworkStack, network: string, parent: Link, withSix: boolean): Link {
  const index = indexBelow(parent);
  const found = listShims(host, network).find((each): boolean => each.linkIndex === index);
  const shim = found ?? create(host, network, parent);
  if (shim.alias === "" || !shim.up) prepare(host, network, parent, shim);
  if (withSix) ensureSysctl(host.namespace, `net/ipv6/conf/${shim.name}/disable_ipv6`, "0");
  return shim;
}

/** The link that the shim is on: what is made on a macvlan, the kernel puts beside it. */
function indexBelow(parent: Link): number {
  return parent.kind === KIND ? parent.linkIndex : parent.index;
}

function create(host: NetworkStack, network: string, parent: Link): Link {
  const name = shimName(network, indexBelow(parent));
  const data = new Attributes().set(macvlanAttributes.mode, macvlanMode.bridge);
  try {
    createLink(host, { name, kind: KIND, data, parentIndex: parent.index, mac: shimMac(network, parent.mac) });
  } catch (error) {
    if (isKernelError(error, "EEXIST")) throw nameTaken(name, parent);
    throw error;
  }
  return findMade(host, name);
}

/** Before it is up: it belongs to the segment, and the host must not take from there what it has not asked for. */
function prepare(host: NetworkStack, network: string, parent: Link, shim: Link): void {
  writeSysctls(host.namespace, [
    [`net/ipv6/conf/${shim.name}/disable_ipv6`, "1"],
    [`net/ipv6/conf/${shim.name}/accept_ra`, "0"],
    // Nobody else has its link-local address, which follows from the hardware address; a second later would be late.
    [`net/ipv6/conf/${shim.name}/accept_dad`, "0"],
    // It answers those alone whom the host reaches through it: all others are answered by the parent, with its own hardware address.
    [`net/ipv4/conf/${shim.name}/arp_filter`, "1"],
  ]);
  try {
    changeLink(host, shim, { alias: shimTag(network, parent.name), up: true });
  } catch (error) {
    if (isKernelError(error, "EADDRINUSE")) throw macTaken(shim, parent);
    throw error;
  }
}

/** The network's shims, on whatever parents. @throws KernelError */
export function listShims(host: NetworkStack, network: string): Link[] {
  return listLinks(host, { kind: KIND }).filter((link): boolean => isShim(link, network));
}

function isShim(link: Link, network: string): boolean {
  if (link.kind !== KIND || link.linkNamespaceId !== undefined) return false;
  if (link.alias !== "") return isShimTag(link.alias, network);
  return !link.up && link.name === shimName(network, link.linkIndex);
}

function nameTaken(name: string, parent: Link): CniError {
  return new CniError(
    ErrorCode.Taken,
    `Cannot create ${name} on ${parent.name} (hostShim): the host has another interface of that name`,
    `remove it if nobody needs it: ip link delete ${name}`,
  );
}

/** Two interfaces on one parent cannot have the same; the shim's follows from network and parent. */
function macTaken(shim: Link, parent: Link): CniError {
  return new CniError(
    ErrorCode.Taken,
    `Cannot set ${shim.name} on ${parent.name} up (hostShim): another interface on ${parent.name} has its hardware address ${shim.mac}`,
    "give that one another hardware address, or do without hostShim",
  );
}
