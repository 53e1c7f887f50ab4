/**
 * Links (interfaces): found, listed, changed, deleted. Creating them is in create-link.ts.
 * Source: rtnetlink(7), linux/if_link.h, linux/if.h; strict requests as linux net/core/rtnetlink.c checks them.
 */
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "../linux/errno.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import { Attributes } from "./attributes.ts";
import { ALTIFNAMSIZ, IFF_ALLMULTI, IFF_PROMISC, IFF_UP, IFNAMSIZ } from "./headers/if.ts";
import { NLM_F_ACK } from "./headers/netlink.ts";
import { RTEXT_FILTER_SKIP_STATS, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK } from "./headers/rtnetlink.ts";
import { familyAttributes, inet6Attributes, linkAttributes, linkInfoAttributes } from "./link-attributes.ts";
import { type Message, messageBody } from "./message.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

const IFINFOMSG_BYTES = 16;

/** RFC 2863 states. */
export type OperationalState = "unknown" | "not-present" | "down" | "lower-layer-down" | "testing" | "dormant" | "up";
/** IF_OPER_*, in the kernel's order. */
const operationalStates: readonly OperationalState[] = [
  "unknown",
  "not-present",
  "down",
  "lower-layer-down",
  "testing",
  "dormant",
  "up",
];

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Lower case with colons; empty where a link has none. */
  readonly mac: string;
  /** The hardware's own; empty where there is none. */
  readonly permanentMac: string;
  /** Bytes. */
  readonly mtu: number;
  /** ARPHRD_* */
  readonly hardwareType: number;
  /** IFF_* */
  readonly flags: number;
  /** Set up by somebody, which does not yet mean that it has carrier. */
  readonly up: boolean;
  readonly promiscuous: boolean;
  readonly allMulticast: boolean;
  readonly operationalState: OperationalState;
  /** `veth`, `bridge`…; empty for hardware and `lo`. */
  readonly kind: string;
  /** The bridge, bond or vrf it belongs to; 0 is none. */
  readonly masterIndex: number;
  /** The device below it, or a veth's other end, in namespace `linkNamespaceId`; 0 is none. */
  readonly linkIndex: number;
  /** Where `linkIndex` counts, by this namespace's id for it; `undefined` is this one. */
  readonly linkNamespaceId: number | undefined;
  /** Empty when there is none. */
  readonly alias: string;
  /** Packets. */
  readonly txQueueLength: number;
  readonly group: number;
  /** Names beside its name by which it is found, too; linux 5.5. */
  readonly alternativeNames: readonly string[];
  /** The kind's own attributes: bridgeAttributes, vlanAttributes… */
  readonly kindData: Attributes | undefined;
  /** What its master keeps about it: bridgePortAttributes, bondPortAttributes. */
  readonly portData: Attributes | undefined;
}

/** The link of that name, or alternative name; `undefined` when there is none. @throws KernelError */
export function findLink(stack: NetworkStack, name: string): Link | undefined {
  const length = new TextEncoder().encode(name).length;
  if (length === 0 || length >= ALTIFNAMSIZ) return undefined;
  const wanted = new Attributes().set(length >= IFNAMSIZ ? linkAttributes.alternativeName : linkAttributes.name, name);
  return getLink(stack, `find link ${name}`, 0, wanted);
}

/** @throws KernelError */
export function findLinkByIndex(stack: NetworkStack, index: number): Link | undefined {
  return getLink(stack, `find link ${index}`, index, new Attributes());
}

function getLink(stack: NetworkStack, operation: string, index: number, wanted: Attributes): Link | undefined {
  const body = messageBody(linkHeader(index), wanted.set(linkAttributes.extensionMask, RTEXT_FILTER_SKIP_STATS));
  try {
    const answer = stack.route.request(operation, RTM_GETLINK, 0, body).at(0);
    return answer === undefined ? undefined : decodeLink(answer.body);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return undefined;
    throw error;
  }
}

export interface LinkFilter {
  readonly kind?: string | undefined;
  readonly masterIndex?: number | undefined;
}

/** All links, or those that match. @throws KernelError */
export function listLinks(stack: NetworkStack, filter: LinkFilter = {}): Link[] {
  const { kind, masterIndex } = filter;
  const wanted = new Attributes()
    .set(linkAttributes.extensionMask, RTEXT_FILTER_SKIP_STATS)
    .set(linkAttributes.master, masterIndex);
  if (kind !== undefined) wanted.set(linkAttributes.info, new Attributes().set(linkInfoAttributes.kind, kind));
  const links: Link[] = [];
  for (const message of stack.route.dump("list links", RTM_GETLINK, messageBody(linkHeader(0), wanted))) {
    const link = decodeLinkMessage(message);
    // The kernel filters only by what it knows: a kind whose module is not loaded filters nothing.
    if (link === undefined || (kind !== undefined && link.kind !== kind)) continue;
    if (masterIndex === undefined || link.masterIndex === masterIndex) links.push(link);
  }
  return links;
}

/** What is to become different; what is left out or `undefined` stays. */
export interface LinkChange {
  readonly up?: boolean | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  /** 0 takes the link from its master. */
  readonly masterIndex?: number | undefined;
  /** At most 255 bytes; empty removes it. */
  readonly alias?: string | undefined;
  /** Before Linux 6.2 only a link that is down can be renamed. */
  readonly name?: string | undefined;
  readonly promiscuous?: boolean | undefined;
  readonly allMulticast?: boolean | undefined;
  readonly txQueueLength?: number | undefined;
  readonly group?: number | undefined;
  /** Moves the link, under its new name where one is given. Its index may change, and it is down afterwards. */
  readonly namespace?: NetworkNamespace | undefined;
}

/**
 * Changes a link with one message, though not atomically: a change that is refused may come after others that were made.
 * @throws KernelError
 */
export function changeLink(stack: NetworkStack, link: Link, change: LinkChange): void {
  const { operation, type, flags, body } = linkChange(link, change);
  stack.route.request(operation, type, flags, body);
}

/** The same as part of a batch. */
export function linkChange(link: Link, change: LinkChange): BatchMessage {
  const body = encodeChange(link.index, change);
  return { operation: `change link ${link.name}`, type: RTM_NEWLINK, flags: NLM_F_ACK, body };
}

/** The message of `changeLink`. */
export function encodeChange(index: number, change: LinkChange): Uint8Array {
  const content = new Attributes()
    .set(linkAttributes.name, change.name)
    .set(linkAttributes.mac, change.mac)
    .set(linkAttributes.mtu, change.mtu)
    .set(linkAttributes.master, change.masterIndex)
    .set(linkAttributes.alias, change.alias)
    .set(linkAttributes.txQueueLength, change.txQueueLength)
    .set(linkAttributes.group, change.group)
    .set(linkAttributes.namespaceDescriptor, change.namespace?.descriptor);
  const up = flagChange(IFF_UP, change.up);
  const promiscuous = flagChange(IFF_PROMISC, change.promiscuous);
  const allMulticast = flagChange(IFF_ALLMULTI, change.allMulticast);
  const flags = up.flags | promiscuous.flags | allMulticast.flags;
  return messageBody(linkHeader(index, AF_UNSPEC, flags, up.mask | promiscuous.mask | allMulticast.mask), content);
}

function flagChange(bit: number, wanted: boolean | undefined): { readonly flags: number; readonly mask: number } {
  if (wanted === undefined) return { flags: 0, mask: 0 };
  return { flags: wanted ? bit : 0, mask: bit };
}

/** IN6_ADDR_GEN_MODE_NONE */
const GENERATE_NONE = 1;

/**
 * Keeps the kernel from giving a link IPv6 addresses by itself; those that it has stay. Idempotent, and nothing is done where
 * the link does not know IPv6. @throws KernelError
 */
export function generateNoAddresses(stack: NetworkStack, link: Link): void {
  const inet6 = new Attributes().set(inet6Attributes.generationMode, GENERATE_NONE);
  const content = new Attributes().set(
    linkAttributes.familyOptions,
    new Attributes().set(familyAttributes.inet6, inet6),
  );
  try {
    const body = messageBody(linkHeader(link.index), content);
    stack.route.request(`switch off automatic addresses of ${link.name}`, RTM_SETLINK, 0, body);
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EAFNOSUPPORT") throw error;
  }
}

/** Deletes a link, and with one end of a veth pair the other; whether it was there. @throws KernelError */
export function deleteLink(stack: NetworkStack, link: Link): boolean {
  try {
    stack.route.request(
      `delete link ${link.name}`,
      RTM_DELLINK,
      0,
      messageBody(linkHeader(link.index), new Attributes()),
    );
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return false;
    throw error;
  }
}

/** struct ifinfomsg; `mask` says which of the flags count. */
export function linkHeader(index: number, family: number = AF_UNSPEC, flags = 0, mask = 0): Writer {
  return new Writer().u8(family).u8(0).u16(0).u32(index).u32(flags).u32(mask);
}

/** The link that a message describes; `undefined` for other messages. @throws DecodeError */
export function decodeLinkMessage(message: Message): Link | undefined {
  return message.type === RTM_NEWLINK ? decodeLink(message.body) : undefined;
}

/** The index that a message about a link names, whatever it says of it. @throws RangeError */
export function linkIndexOf(body: Uint8Array): number {
  return viewOf(body).getUint32(4, true);
}

/** The attributes behind struct ifinfomsg. @throws DecodeError */
export function linkContent(body: Uint8Array): Attributes {
  return Attributes.decode(body.subarray(IFINFOMSG_BYTES), "link");
}

/** @throws DecodeError; RangeError when even the header is cut */
export function decodeLink(body: Uint8Array): Link {
  const flags = viewOf(body).getUint32(8, true);
  const found = linkContent(body);
  const info = found.get(linkAttributes.info);
  return {
    index: linkIndexOf(body),
    name: found.get(linkAttributes.name) ?? "",
    mac: found.get(linkAttributes.mac) ?? "",
    permanentMac: found.get(linkAttributes.permanentMac) ?? "",
    mtu: found.get(linkAttributes.mtu) ?? 0,
    hardwareType: viewOf(body).getUint16(2, true),
    flags,
    up: (flags & IFF_UP) !== 0,
    promiscuous: (flags & IFF_PROMISC) !== 0,
    allMulticast: (flags & IFF_ALLMULTI) !== 0,
    operationalState: operationalStates.at(found.get(linkAttributes.operationalState) ?? 0) ?? "unknown",
    kind: info?.get(linkInfoAttributes.kind) ?? "",
    masterIndex: found.get(linkAttributes.master) ?? 0,
    linkIndex: found.get(linkAttributes.link) ?? 0,
    linkNamespaceId: found.get(linkAttributes.linkNamespaceId),
    alias: found.get(linkAttributes.alias) ?? "",
    txQueueLength: found.get(linkAttributes.txQueueLength) ?? 0,
    group: found.get(linkAttributes.group) ?? 0,
    alternativeNames: found.get(linkAttributes.propertyList)?.all(linkAttributes.alternativeName) ?? [],
    kindData: info?.get(linkInfoAttributes.data),
    portData: info?.get(linkInfoAttributes.portData),
  };
}
