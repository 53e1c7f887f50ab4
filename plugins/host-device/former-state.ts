/**
 * What a device was on the host before a container got it: all that is to be as it was when the host gets it back. Read from the kernel;
 * state-document.ts writes it down.
 */
import { Prefix } from "../../pkg/ip/prefix.ts";
import { type AddressCopy, addressesAsGiven } from "../../pkg/netlink/address-copy.ts";
import { IFA_F_NOPREFIXROUTE } from "../../pkg/netlink/headers/if-addr.ts";
import { RT_SCOPE_LINK, RT_TABLE_LOCAL, RTPROT_KERNEL, RTPROT_RA } from "../../pkg/netlink/headers/rtnetlink.ts";
import { findLinkByIndex, type Link } from "../../pkg/netlink/link.ts";
import { bondPortAttributes } from "../../pkg/netlink/link-attributes.ts";
import type { Route } from "../../pkg/netlink/route.ts";
import { inOrderOfNeed, listRouteCopies } from "../../pkg/netlink/route-copies.ts";
import type { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { hardwareOf, pciAddressOf } from "./sysfs.ts";

export interface FormerState {
  readonly attachment: Attachment;
  /** Where the device went: CNI_NETNS, and which namespace that was (NetworkNamespace.identity). Both empty once it is known to have ended. */
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
  readonly addresses: readonly AddressCopy[];
  /** In the order in which they can be made again. */
  readonly routes: readonly RouteCopy[];
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
  const addresses = readAddresses(host, device);
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
    addresses,
    routes: readRoutes(host, device, addresses),
  };
}

/** The same of a device whose namespace has ended. */
export function withoutNamespace(state: FormerState): FormerState {
  return { ...state, namespacePath: "", namespace: "" };
}

/** A device's hardware address without its bond, which gives all its ports one address while they are in it. @throws KernelError */
export function ownMac(host: NetworkStack, device: Link): string {
  const master = device.masterIndex === 0 ? undefined : findLinkByIndex(host, device.masterIndex);
  if (master?.kind !== "bond") return device.mac;
  return device.portData?.get(bondPortAttributes.formerMac) ?? device.mac;
}

function readAddresses(host: NetworkStack, { index }: Link): AddressCopy[] {
  return addressesAsGiven(host, index).filter(isGiven);
}

/** Those that somebody gave: neither the kernel's own link-local one nor what routers advertised or DHCP leased for a time. */
function isGiven({ address }: AddressCopy): boolean {
  return address.permanent && !(address.prefix.family === 6 && address.scope === RT_SCOPE_LINK);
}

function readRoutes(host: NetworkStack, device: Link, addresses: readonly AddressCopy[]): RouteCopy[] {
  if (!device.up) return [];
  const found = listRouteCopies(host, { linkIndex: device.index }).filter((copy: RouteCopy): boolean => {
    // The ways of IPv6 come and go each by itself.
    return isMeant(copy.route, addresses) && (copy.route.destination.family === 6 || !copy.isSharedBy(device.index));
  });
  return inOrderOfNeed(found);
}

/** What the kernel makes again by itself is not: with an address its prefix route, unless that was given without. */
function isMeant({ table, protocol, destination }: Route, addresses: readonly AddressCopy[]): boolean {
  if (table === RT_TABLE_LOCAL || protocol === RTPROT_RA) return false;
  if (protocol !== RTPROT_KERNEL) return true;
  return addresses.some(({ address }): boolean => {
    const { prefix, peer, flags } = address;
    const subnet = new Prefix(peer ?? prefix.address, prefix.length).masked;
    return (flags & IFA_F_NOPREFIXROUTE) !== 0 && subnet.equals(destination);
  });
}
