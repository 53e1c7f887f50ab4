/**
 * What a device was on the host before a container got it: all that is to be as it was when the host gets it back. Read from the kernel;
 * state-document.ts writes it down.
 */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { type LinkAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { findLinkByIndex, type Link } from "../../pkg/netlink/link.ts";
import { bondPortAttributes } from "../../pkg/netlink/link-attributes.ts";
import { listRoutes, type Route, type RouteSpec } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { hardwareOf, pciAddressOf } from "./sysfs.ts";

/** RTPROT_KERNEL, RTPROT_RA: the kernel makes these again by itself. */
const KERNELS_PROTOCOLS: readonly number[] = [2, 9];
/** RT_TABLE_LOCAL: the same. */
const LOCAL_TABLE = 255;
/** RT_SCOPE_LINK */
const SCOPE_LINK = 253;

/** An address of the device on the host; texts are empty where there is none. */
export interface FormerAddress {
  readonly address: string;
  readonly peer: string;
  readonly broadcast: string;
  readonly scope: number;
}

/** A route by the device on the host. */
export interface FormerRoute {
  readonly dst: string;
  readonly gateway: string;
  readonly source: string;
  readonly table: number;
  readonly priority: number;
  readonly scope: number;
  readonly protocol: number;
  readonly type: number;
  readonly mtu: number;
  readonly advmss: number;
  readonly onLink: boolean;
}

export interface FormerState {
  readonly attachment: Attachment;
  /** Where the device went: CNI_NETNS, and which namespace that was (NetworkNamespace.identity). */
  readonly namespacePath: string;
  readonly namespace: string;
  readonly name: string;
  readonly index: number;
  readonly kind: string;
  /** Without its bond, where it was in one. */
  readonly mac: string;
  readonly permanentMac: string;
  /** The directory in sysfs of the hardware, and its PCI address; empty for a virtual device. */
  readonly hardware: string;
  readonly pciAddress: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly promiscuous: boolean;
  readonly allMulticast: boolean;
  readonly txQueueLength: number;
  readonly group: number;
  /** The name of the bridge, bond or vrf that it belonged to; empty when none. */
  readonly master: string;
  readonly alias: string;
  readonly alternativeNames: readonly string[];
  /** Whether addresses and routes are given back as well. */
  readonly restoresAddresses: boolean;
  readonly addresses: readonly FormerAddress[];
  readonly routes: readonly FormerRoute[];
}

/** Reads all that there is to know of a device on the host. @throws KernelError */
export function readState(
  host: NetworkStack,
  device: Link,
  attachment: Attachment,
  sandbox: NetworkNamespace,
  restoresAddresses: boolean,
): FormerState {
  const hardware = hardwareOf(device.name);
  const master = device.masterIndex === 0 ? undefined : findLinkByIndex(host, device.masterIndex);
  return {
    attachment,
    namespacePath: sandbox.path,
    namespace: sandbox.identity(),
    name: device.name,
    index: device.index,
    kind: device.kind,
    mac: ownMac(host, device),
    permanentMac: device.permanentMac,
    hardware,
    pciAddress: pciAddressOf(hardware),
    mtu: device.mtu,
    up: device.up,
    promiscuous: device.promiscuous,
    allMulticast: device.allMulticast,
    txQueueLength: device.txQueueLength,
    group: device.group,
    master: master?.name ?? "",
    alias: device.alias,
    alternativeNames: device.alternativeNames,
    restoresAddresses,
    addresses: readAddresses(host, device),
    routes: readRoutes(host, device),
  };
}

/** A device's hardware address without its bond, which gives all its ports one address while they are in it. @throws KernelError */
export function ownMac(host: NetworkStack, device: Link): string {
  const master = device.masterIndex === 0 ? undefined : findLinkByIndex(host, device.masterIndex);
  if (master?.kind !== "bond") return device.mac;
  return device.portData?.get(bondPortAttributes.formerMac) ?? device.mac;
}

/** Those that somebody gave: neither the kernel's own link-local one nor what routers advertised or DHCP leased for a time. */
function readAddresses(host: NetworkStack, device: Link): FormerAddress[] {
  const found: FormerAddress[] = [];
  for (const each of listAddresses(host, device)) if (isGiven(each)) found.push(formerAddress(each));
  return found;
}

function isGiven(each: LinkAddress): boolean {
  return each.permanent && !(each.prefix.family === 6 && each.scope === SCOPE_LINK);
}

function formerAddress(each: LinkAddress): FormerAddress {
  return {
    address: each.prefix.toString(),
    peer: each.peer?.toString() ?? "",
    broadcast: each.broadcast?.toString() ?? "",
    scope: each.scope,
  };
}

function readRoutes(host: NetworkStack, device: Link): FormerRoute[] {
  const found: FormerRoute[] = [];
  if (!device.up) return found;
  for (const route of listRoutes(host, { linkIndex: device.index })) {
    const isOnlyWay = route.linkIndex === device.index;
    if (!isOnlyWay || route.table === LOCAL_TABLE || KERNELS_PROTOCOLS.includes(route.protocol)) continue;
    found.push(formerRoute(route));
  }
  // Those that a gateway is reached by come first.
  return found.toSorted((a, b) => (a.gateway === "" ? 0 : 1) - (b.gateway === "" ? 0 : 1));
}

function formerRoute(route: Route): FormerRoute {
  return {
    dst: route.destination.toString(),
    gateway: route.gateway?.toString() ?? "",
    source: route.source?.toString() ?? "",
    table: route.table,
    priority: route.priority,
    scope: route.scope,
    protocol: route.protocol,
    type: route.type,
    mtu: route.mtu,
    advmss: route.advmss,
    onLink: route.onLink,
  };
}

/** The route to be made again; `undefined` when the record is not of this kind. */
export function routeSpec(route: FormerRoute, linkIndex: number): RouteSpec | undefined {
  const destination = Prefix.parse(route.dst);
  if (destination === undefined) return undefined;
  return {
    destination,
    gateway: Address.parse(route.gateway),
    source: Address.parse(route.source),
    linkIndex,
    table: route.table,
    priority: route.priority,
    scope: route.scope,
    protocol: route.protocol,
    type: route.type,
    mtu: route.mtu,
    advmss: route.advmss,
    onLink: route.onLink,
  };
}
