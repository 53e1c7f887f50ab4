/** Links: find, make, change, remove. Source: rtnetlink(7), linux/rtnetlink.h, linux/if.h. */
import { raw } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "../linux/errno.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import { attribute, Attributes } from "./attributes.ts";
import { bridgeAttributes, infoAttributes, linkAttributes, VETH_INFO_PEER } from "./link-attributes.ts";
import { flag, type Message } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const IFF_UP = 0x1;
const IFF_PROMISC = 0x100;
const IFF_ALLMULTI = 0x200;
/** Leave out statistics, which make up most of an answer. */
const RTEXT_FILTER_SKIP_STATS = 8;
export const IFINFO_BYTES = 16;

/** IF_OPER_*, by number (RFC 2863). */
const operationalStates = ["unknown", "not-present", "down", "lower-layer-down", "testing", "dormant", "up"] as const;
export type OperationalState = (typeof operationalStates)[number];

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Lower case with colons; empty when it has none. */
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Administratively up (IFF_UP). */
  readonly up: boolean;
  readonly flags: number;
  readonly operationalState: OperationalState;
  /** `veth`, `bridge`, …; empty for physical devices and lo. */
  readonly kind: string;
  /** The bridge, bond or VRF it is a port of; 0 for none. */
  readonly masterIndex: number;
  /** Parent or peer; in another namespace when linkNamespaceId is set; 0 for none. */
  readonly linkIndex: number;
  readonly linkNamespaceId: number | undefined;
  readonly alias: string;
  readonly promiscuous: boolean;
  readonly allMulticast: boolean;
  /** Packets. */
  readonly txQueueLength: number;
  /** IFLA_INFO_DATA: what the kind's own table describes. */
  readonly kindData: Attributes | undefined;
}

/** struct ifinfomsg and attributes. */
function linkMessage(index: number, flags: number, change: number, content: Attributes, family = 0): Uint8Array {
  return new Writer().u8(family).u8(0).u16(0).u32(index).u32(flags).u32(change).bytes(content.encode()).done();
}

export function decodeLink(body: Uint8Array): Link {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const row = Attributes.decode(body.subarray(IFINFO_BYTES), "link");
  const info = row.get(linkAttributes.linkInfo);
  const flags = view.getUint32(8, true);
  return {
    index: view.getUint32(4, true),
    name: row.get(linkAttributes.name) ?? "",
    mac: row.get(linkAttributes.address) ?? "",
    mtu: row.get(linkAttributes.mtu) ?? 0,
    up: (flags & IFF_UP) !== 0,
    flags,
    operationalState: operationalStates.at(row.get(linkAttributes.operationalState) ?? 0) ?? "unknown",
    kind: info?.get(infoAttributes.kind) ?? "",
    masterIndex: row.get(linkAttributes.master) ?? 0,
    linkIndex: row.get(linkAttributes.parent) ?? 0,
    linkNamespaceId: row.get(linkAttributes.linkNetNsId),
    alias: row.get(linkAttributes.alias) ?? "",
    promiscuous: (row.get(linkAttributes.promiscuity) ?? 0) > 0 || (flags & IFF_PROMISC) !== 0,
    allMulticast: (flags & IFF_ALLMULTI) !== 0,
    txQueueLength: row.get(linkAttributes.txQueueLength) ?? 0,
    kindData: info?.get(infoAttributes.data),
  };
}

/** The link of that name; `undefined` when there is none. @throws KernelError */
export function findLink(stack: NetworkStack, name: string): Link | undefined {
  const content = new Attributes()
    .set(linkAttributes.name, name)
    .set(linkAttributes.extMask, RTEXT_FILTER_SKIP_STATS);
  return getLink(stack, `find link ${name}`, linkMessage(0, 0, 0, content));
}

/** The link of that index; `undefined` when there is none. @throws KernelError */
export function findLinkByIndex(stack: NetworkStack, index: number): Link | undefined {
  const content = new Attributes().set(linkAttributes.extMask, RTEXT_FILTER_SKIP_STATS);
  return getLink(stack, `find link ${index}`, linkMessage(index, 0, 0, content));
}

function getLink(stack: NetworkStack, operation: string, request: Uint8Array): Link | undefined {
  try {
    const answer = stack.route.request(operation, RTM_GETLINK, 0, request).at(0);
    return answer === undefined ? undefined : decodeLink(answer.body);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return undefined;
    throw error;
  }
}

/** What to list; the kernel does the choosing. */
export interface LinkFilter {
  readonly kind?: string;
  readonly masterIndex?: number;
}

/** The links of the stack, all or those that the filter names. @throws KernelError */
export function listLinks(stack: NetworkStack, filter: LinkFilter = {}): Link[] {
  const content = new Attributes()
    .set(linkAttributes.master, filter.masterIndex)
    .set(linkAttributes.extMask, RTEXT_FILTER_SKIP_STATS);
  if (filter.kind !== undefined) {
    content.set(linkAttributes.linkInfo, new Attributes().set(infoAttributes.kind, filter.kind));
  }
  const answers = stack.route.dump("list links", RTM_GETLINK, linkMessage(0, 0, 0, content));
  const links: Link[] = [];
  for (const answer of answers) {
    const link = decodeLink(answer.body);
    // Kernels that cannot choose send everything.
    if (filter.kind !== undefined && link.kind !== filter.kind) continue;
    if (filter.masterIndex !== undefined && link.masterIndex !== filter.masterIndex) continue;
    links.push(link);
  }
  return links;
}

/** A link to make. `data` is what the kind's own table describes. */
export interface LinkSpec {
  readonly name: string;
  readonly kind: string;
  readonly data?: Attributes;
  /** Bytes; 0 or absent: the kernel's choice. */
  readonly mtu?: number;
  readonly mac?: string | undefined;
  readonly parentIndex?: number;
  readonly masterIndex?: number;
  /** Where it is made; absent: in the stack's own namespace. */
  readonly namespace?: NetworkNamespace | undefined;
}

/** Makes a link. @throws KernelError, EEXIST when the name is taken */
export function createLink(stack: NetworkStack, spec: LinkSpec): void {
  const info = new Attributes().set(infoAttributes.kind, spec.kind).set(infoAttributes.data, spec.data);
  const content = linkContent(spec.name, spec.mtu ?? 0, spec.mac, spec.namespace)
    .set(linkAttributes.parent, spec.parentIndex)
    .set(linkAttributes.master, spec.masterIndex)
    .set(linkAttributes.linkInfo, info);
  const operation = `create ${spec.kind} ${spec.name}`;
  stack.route.request(operation, RTM_NEWLINK, flag.create | flag.exclusive, linkMessage(0, 0, 0, content));
}

function linkContent(name: string, mtu: number, mac: string | undefined, namespace: NetworkNamespace | undefined): Attributes {
  return new Attributes()
    .set(linkAttributes.name, name)
    .set(linkAttributes.mtu, mtu > 0 ? mtu : undefined)
    .set(linkAttributes.address, mac)
    .set(linkAttributes.netNsFd, namespace?.descriptor);
}

/** The other end of a pair. */
export interface VethPeer {
  readonly name: string;
  readonly mac: string | undefined;
  /** `undefined`: in the stack's own namespace. */
  readonly namespace: NetworkNamespace | undefined;
}

export interface VethSpec {
  readonly name: string;
  /** Bytes, of both ends; 0: the kernel's choice. */
  readonly mtu: number;
  readonly peer: VethPeer;
}

const vethPeer = attribute(VETH_INFO_PEER | 0x8000, raw);

/** Makes both ends of a pair, each where it belongs, in one step. @throws KernelError, EEXIST when a name is taken on either side */
export function createVeth(stack: NetworkStack, spec: VethSpec): void {
  const { name, mac, namespace } = spec.peer;
  const peer = linkMessage(0, 0, 0, linkContent(name, spec.mtu, mac, namespace));
  createLink(stack, { name: spec.name, kind: "veth", mtu: spec.mtu, data: new Attributes().set(vethPeer, peer) });
}

export interface BridgeSpec {
  readonly name: string;
  /** Bytes; 0: the kernel's choice. */
  readonly mtu: number;
  readonly mac: string;
  readonly vlanFiltering: boolean;
}

/** Makes a bridge. @throws KernelError, EEXIST when the name is taken */
export function createBridge(stack: NetworkStack, spec: BridgeSpec): void {
  const data = new Attributes().set(bridgeAttributes.vlanFiltering, spec.vlanFiltering ? true : undefined);
  createLink(stack, { name: spec.name, kind: "bridge", mtu: spec.mtu, mac: spec.mac, data });
}

/** Switches VLAN filtering of a bridge on, unless it is. @throws KernelError */
export function enableVlanFiltering(stack: NetworkStack, bridge: Link): void {
  if (bridge.kindData?.get(bridgeAttributes.vlanFiltering) === true) return;
  const data = new Attributes().set(bridgeAttributes.vlanFiltering, true);
  const info = new Attributes().set(infoAttributes.kind, "bridge").set(infoAttributes.data, data);
  const content = new Attributes().set(linkAttributes.linkInfo, info);
  const operation = `enable VLAN filtering of ${bridge.name}`;
  stack.route.request(operation, RTM_NEWLINK, 0, linkMessage(bridge.index, 0, 0, content));
}

/** What to change of a link; what is absent stays. */
export interface LinkChange {
  readonly up?: boolean;
  readonly promiscuous?: boolean;
  readonly allMulticast?: boolean;
  readonly name?: string;
  /** Bytes. */
  readonly mtu?: number;
  readonly mac?: string;
  /** 0 takes it from its master. */
  readonly masterIndex?: number | undefined;
  readonly alias?: string;
  /** Packets. */
  readonly txQueueLength?: number;
  /** Moves it there. */
  readonly namespace?: NetworkNamespace;
}

/** Changes a link, all in one message. Idempotent. @throws KernelError */
export function changeLink(stack: NetworkStack, link: Link, change: LinkChange): void {
  let flags = 0;
  let mask = 0;
  for (const [bit, on] of [
    [IFF_UP, change.up],
    [IFF_PROMISC, change.promiscuous],
    [IFF_ALLMULTI, change.allMulticast],
  ] as readonly (readonly [number, boolean | undefined])[]) {
    if (on === undefined) continue;
    mask |= bit;
    if (on) flags |= bit;
  }
  const content = new Attributes()
    .set(linkAttributes.name, change.name)
    .set(linkAttributes.mtu, change.mtu)
    .set(linkAttributes.address, change.mac)
    .set(linkAttributes.master, change.masterIndex)
    .set(linkAttributes.alias, change.alias)
    .set(linkAttributes.txQueueLength, change.txQueueLength)
    .set(linkAttributes.netNsFd, change.namespace?.descriptor);
  const request = linkMessage(link.index, flags, mask, content);
  stack.route.request(`change link ${link.name}`, RTM_NEWLINK, 0, request);
}

/** Removes a link; false when it was gone already. @throws KernelError */
export function deleteLink(stack: NetworkStack, link: Link): boolean {
  try {
    stack.route.request(`delete link ${link.name}`, RTM_DELLINK, 0, linkMessage(link.index, 0, 0, new Attributes()));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return false;
    throw error;
  }
}

/** Link notifications (RTM_NEWLINK) among others'. */
export function linksIn(messages: readonly Message[]): Link[] {
  const links: Link[] = [];
  for (const each of messages) if (each.type === RTM_NEWLINK) links.push(decodeLink(each.body));
  return links;
}
