/**
 * The parent of a link: the interface below a macvlan, ipvlan or vlan, called `master` in configurations. Found by name, or as the
 * one that leads to everywhere; in the host, or in the container.
 */
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { KernelError } from "../linux/errno.ts";
import { IFF_LOOPBACK } from "../netlink/headers/if.ts";
import { ARPHRD_ETHER } from "../netlink/headers/if-arp.ts";
import { findLink, findLinkByIndex, type Link, listLinks } from "../netlink/link.ts";
import { defaultRoutes } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { keyOfTag } from "../skel/attachment.ts";
import { requireLeastMtu } from "./least-mtu.ts";

/** Names that an error tells: on a node with many interfaces the rest is noise. */
const TOLD_CANDIDATES = 10;
/** Masters that take all frames of their ports before anything on a port could. */
const takingKinds: readonly string[] = ["bridge", "bond", "team", "openvswitch"];
/** Kinds that belong to one container or one program. */
const unsuitableKinds: readonly string[] = ["macvlan", "macvtap", "ipvlan", "ipvtap", "tun"];

export interface Parent {
  readonly link: Link;
  /** Whether it is in the container's namespace, and not in the host's. */
  readonly inContainer: boolean;
}

/** Where a parent is looked for. */
export interface ParentPlace {
  readonly stack: NetworkStack;
  readonly inContainer: boolean;
}

/** The host, or the container where the configuration says `linkInContainer`. */
export function parentPlace(host: NetworkStack, sandbox: NetworkStack, linkInContainer: boolean): ParentPlace {
  return { stack: linkInContainer ? sandbox : host, inContainer: linkInContainer };
}

/**
 * The parent called `name` for a link of that kind; without a name, the interface of the first default route, IPv4 before IPv6.
 * @throws CniError 7 when there is none, naming those that could be it, or when it can never be one
 */
export function requireParent(place: ParentPlace, name: string, kind: string): Parent {
  const link = name === "" ? findDefault(place) : findLink(place.stack, name);
  const where = whereWords(place);
  if (link === undefined && name === "") {
    throw invalidConfig(
      `no default route interface found ${where}`,
      `name the parent in "master": ${candidates(place)}`,
    );
  }
  if (link === undefined) {
    throw invalidConfig(`Link not found: there is no interface "${name}" (master) ${where}`, candidates(place));
  }
  if ((link.flags & IFF_LOOPBACK) !== 0) {
    throw invalidConfig(
      `"${link.name}" (master) is the loopback interface: nothing can be on top of it`,
      candidates(place),
    );
  }
  if (kind !== "vlan") requireCarriesOthers(place, link, kind);
  return { link, inContainer: place.inContainer };
}

/** A VLAN's frames are told apart before a master sees them; those of macvlan and ipvlan are not. @throws CniError 7 */
function requireCarriesOthers(place: ParentPlace, link: Link, kind: string): void {
  if (link.hardwareType !== ARPHRD_ETHER) {
    throw invalidConfig(
      `"${link.name}" (master) is no Ethernet interface: no ${kind} can be on top of it`,
      candidates(place),
    );
  }
  const master = link.masterIndex === 0 ? undefined : findLinkByIndex(place.stack, link.masterIndex);
  if (master === undefined || !takingKinds.includes(master.kind)) return;
  throw invalidConfig(
    `"${link.name}" (master) is a port of ${master.kind} ${master.name}, which takes all its frames: no ${kind} can be on top of it`,
    `make ${master.name} the master, or take ${link.name} out of it: ip link set ${link.name} nomaster`,
  );
}

/** The same for STATUS: what ADD would refuse is not available, and a parent that is down connects nobody. @throws CniError 50, 51 */
export function requireReadyParent(place: ParentPlace, name: string, kind: string): Parent {
  const parent = readyOrNotAvailable(place, name, kind);
  if (parent.link.up) return parent;
  throw new CniError(
    ErrorCode.LimitedConnectivity,
    `parent ${parent.link.name} is down`,
    `bring it up: ip link set ${parent.link.name} up`,
  );
}

function readyOrNotAvailable(place: ParentPlace, name: string, kind: string): Parent {
  try {
    return requireParent(place, name, kind);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details);
  }
}

/** The interface of the first default route; a route of several ways has the first of them. */
function findDefault(place: ParentPlace): Link | undefined {
  for (const route of [...defaultRoutes(place.stack, 4), ...defaultRoutes(place.stack, 6)]) {
    const index = route.linkIndex === 0 ? (route.nexthops.at(0)?.linkIndex ?? 0) : route.linkIndex;
    if (index !== 0) return findLinkByIndex(place.stack, index);
  }
  return undefined;
}

function whereWords(place: ParentPlace): string {
  return place.inContainer ? "in the container (linkInContainer)" : "on the host";
}

/** The interfaces that could be a parent, for people to choose from. */
function candidates(place: ParentPlace): string {
  const names: string[] = [];
  for (const link of listLinks(place.stack)) if (isSuitable(link)) names.push(link.name);
  if (names.length === 0) return `no interface ${whereWords(place)} could be the parent`;
  const more = names.length - TOLD_CANDIDATES;
  const told = names.slice(0, TOLD_CANDIDATES).join(", ");
  return `interfaces that could be the parent: ${told}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Ethernet, no container's end, no port of a bridge or bond. */
function isSuitable(link: Link): boolean {
  if (link.hardwareType !== ARPHRD_ETHER || link.masterIndex !== 0 || unsuitableKinds.includes(link.kind)) return false;
  return keyOfTag(link.alias) === undefined;
}

/** Nothing larger than the parent takes gets through, and nothing much smaller than any packet is of use. @throws CniError 7 */
export function requireMtu(mtu: number, parent: Parent): void {
  requireLeastMtu(mtu);
  if (mtu <= parent.link.mtu) return;
  throw invalidConfig(
    `invalid MTU ${mtu}, must be [0, master MTU(${parent.link.mtu})]`,
    `mtu is for an interface on ${parent.link.name}; 0 or no mtu takes the parent's`,
  );
}

/** What the kernel meant when it refused a link of that kind. */
export function refusedByParent(error: KernelError, kind: string, parent: Parent | undefined): CniError {
  const name = parent?.link.name ?? "";
  const subject = name === "" ? kind : `${kind} on ${name}`;
  return new CniError(ErrorCode.Io, `Cannot create ${subject}: ${error.message}`, remedy(error, kind, name));
}

function remedy(error: KernelError, kind: string, parent: string): string {
  switch (error.errno) {
    case "EOPNOTSUPP":
      return kind === "vlan"
        ? `${parent} takes no VLANs, or this kernel has none: load its module (modprobe 8021q)`
        : `this kernel has no ${kind}: load its module (modprobe ${kind}), or use a kernel that has it`;
    case "EBUSY":
      return `${parent} is a port of a bridge or bond, or carries links of another kind: macvlan and ipvlan share no parent`;
    case "EINVAL":
      return parent === ""
        ? ""
        : `${parent} is no Ethernet interface, or one macvlan has it for itself: passthru shares its parent with nobody`;
    default:
      return "";
  }
}

/**
 * CHECK's look at the parent: where the configuration names one, the link is still on it; the one of the default route may be another
 * by now. @throws CniError 102
 */
export function verifyParent(place: ParentPlace, name: string, link: Link): void {
  if (name === "") return;
  const below = findLink(place.stack, name);
  if (below === undefined)
    throw drift(`parent ${name} of ${link.name} is missing`, `create the interface "${name}" again`);
  if (!isOn(link, { link: below, inContainer: place.inContainer }))
    throw drift(`${link.name} is not on parent ${name}`);
  if (!below.up) throw drift(`parent ${name} of ${link.name} is down`, `bring it up: ip link set ${name} up`);
}

/** Kinds of which one on another is really on the link below that. */
const flatKinds: readonly string[] = ["macvlan", "ipvlan"];

/** Whether a link is on this parent. */
function isOn(link: Link, parent: Parent): boolean {
  const below = parent.link;
  const isSeenBeside = link.linkNamespaceId === undefined;
  if (link.linkIndex === below.index && isSeenBeside === parent.inContainer) return true;
  if (!flatKinds.includes(link.kind) || below.kind !== link.kind || link.linkIndex !== below.linkIndex) return false;
  // From within one namespace, the ids of others are the same for both.
  return parent.inContainer ? link.linkNamespaceId === below.linkNamespaceId : !isSeenBeside;
}
