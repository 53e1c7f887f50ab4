/** New links of any kind: veth pairs, bridges, and whatever a kind's own attributes describe. Source: rtnetlink(7). */
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import { Attributes } from "./attributes.ts";
import { IFF_UP } from "./headers/if.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_NEWLINK } from "./headers/rtnetlink.ts";
import { type Link, linkHeader } from "./link.ts";
import { bridgeAttributes, linkAttributes, linkInfoAttributes, vethAttributes } from "./link-attributes.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** What a new link is to be; what is left out, `undefined`, or an MTU of 0 is the kernel's choice. */
export interface LinkSpec {
  readonly name: string;
  /** `macvlan`, `vlan`, `dummy`… */
  readonly kind: string;
  /** The kind's own attributes. */
  readonly data?: Attributes | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  /** The device below, counted in the stack's namespace. */
  readonly parentIndex?: number | undefined;
  readonly masterIndex?: number | undefined;
  readonly group?: number | undefined;
  readonly up?: boolean | undefined;
  /** The kernel's choice unless given; a taken one is refused with EBUSY or EEXIST. */
  readonly index?: number | undefined;
  /** Where the link comes into being, instead of in the stack's namespace. */
  readonly namespace?: NetworkNamespace | undefined;
}

/** Creates a link. @throws KernelError; EEXIST when the name is taken */
export function createLink(stack: NetworkStack, spec: LinkSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  stack.route.request(`create ${spec.kind} ${spec.name}`, RTM_NEWLINK, flags, encodeLink(spec));
}

/** The message of `createLink`. */
export function encodeLink(spec: LinkSpec): Uint8Array {
  const info = new Attributes().set(linkInfoAttributes.kind, spec.kind).set(linkInfoAttributes.data, spec.data);
  const content = new Attributes()
    .set(linkAttributes.name, spec.name)
    .set(linkAttributes.mtu, spec.mtu === 0 ? undefined : spec.mtu)
    .set(linkAttributes.mac, spec.mac)
    .set(linkAttributes.link, spec.parentIndex)
    .set(linkAttributes.master, spec.masterIndex)
    .set(linkAttributes.group, spec.group)
    .set(linkAttributes.namespaceDescriptor, spec.namespace?.descriptor)
    .set(linkAttributes.info, info);
  const up = spec.up ?? false;
  return messageBody(linkHeader(spec.index ?? 0, AF_UNSPEC, up ? IFF_UP : 0, up ? IFF_UP : 0), content);
}

export interface VethSpec {
  readonly name: string;
  /** Bytes, of both ends; 0 is the kernel's choice. */
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  readonly masterIndex?: number | undefined;
  readonly peer: VethPeer;
}

export interface VethPeer {
  readonly name: string;
  readonly mac?: string | undefined;
  /** Where the other end comes into being; `undefined` is beside the first. */
  readonly namespace?: NetworkNamespace | undefined;
}

/** Creates a veth pair, each end in its namespace from the start. @throws KernelError; EEXIST when either name is taken */
export function createVeth(stack: NetworkStack, spec: VethSpec): void {
  const { name, mtu, mac, masterIndex } = spec;
  createLink(stack, { name, kind: "veth", mtu, mac, masterIndex, data: vethData(spec) });
}

/** The attributes of kind `veth`: the other end. */
export function vethData(spec: VethSpec): Attributes {
  const { name, mac, namespace } = spec.peer;
  const peer = new Attributes()
    .set(linkAttributes.name, name)
    .set(linkAttributes.mtu, spec.mtu === 0 ? undefined : spec.mtu)
    .set(linkAttributes.mac, mac)
    .set(linkAttributes.namespaceDescriptor, namespace?.descriptor);
  return new Attributes().set(vethAttributes.peer, messageBody(linkHeader(0), peer));
}

export interface BridgeOptions {
  readonly vlanFiltering?: boolean | undefined;
}

export interface BridgeSpec extends BridgeOptions {
  readonly name: string;
  /** Bytes; 0 is the kernel's choice. */
  readonly mtu?: number | undefined;
  /** Without one the bridge takes the lowest of its ports', and changes it as they come and go. */
  readonly mac?: string | undefined;
}

/** Creates a bridge. @throws KernelError; EEXIST, EOPNOTSUPP when the kernel lacks the VLAN filtering asked for */
export function createBridge(stack: NetworkStack, spec: BridgeSpec): void {
  const { name, mtu, mac } = spec;
  // A new bridge does not filter, and kernels that cannot refuse even to be told not to.
  const vlanFiltering = spec.vlanFiltering === true ? true : undefined;
  createLink(stack, { name, kind: "bridge", mtu, mac, data: bridgeData({ vlanFiltering }) });
}

/** Changes what a bridge does. @throws KernelError */
export function changeBridge(stack: NetworkStack, bridge: Link, options: BridgeOptions): void {
  const info = new Attributes()
    .set(linkInfoAttributes.kind, "bridge")
    .set(linkInfoAttributes.data, bridgeData(options));
  const body = messageBody(linkHeader(bridge.index), new Attributes().set(linkAttributes.info, info));
  stack.route.request(`change bridge ${bridge.name}`, RTM_NEWLINK, 0, body);
}

function bridgeData(options: BridgeOptions): Attributes {
  return new Attributes().set(bridgeAttributes.vlanFiltering, options.vlanFiltering);
}
