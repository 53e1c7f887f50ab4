/**
 * The way between the host and its own macvlan containers: a parent neither hears its macvlans nor is heard by them, so the host gets a
 * macvlan of its own, the shim, and a route through it to each address. Used by macvlan.
 *
 *   sandbox[eth0 192.0.2.10]──macvlan──┐
 *   host[route 192.0.2.10/32]──[shim]──┴──[parent 192.0.2.1]──▶ the segment
 *
 * The shim has no address. A container's packets to the parent's reach the host through it all the same; and what the host sends through
 * it has the parent's address as source, which the container is told the shim's hardware address for.
 */
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import type { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { type LinkAddress, listAddresses } from "../netlink/address.ts";
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from "../netlink/headers/rtnetlink.ts";
import { deleteLink, findLinkByIndex, type Link } from "../netlink/link.ts";
import { deleteNeighbour, listNeighbours, setNeighbour } from "../netlink/neighbour.ts";
import { addRoute, deleteRoute, listRoutes, type Route, type RouteSpec } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { NamespaceLock } from "../netns/namespace-lock.ts";
import type { Attachment } from "../skel/attachment.ts";
import type { Undo } from "../skel/undo.ts";
import type { ValidAttachments } from "../skel/valid-attachments.ts";
import { routeMetric, shimProtocol } from "./names.ts";
import { ensureShim, listShims } from "./shim-link.ts";

/**
 * The namespace itself is locked while a shim comes or goes: it is there wherever shims are, and needs no file. Ours hold it for a few
 * netlink requests; who holds it longer is somebody else in the host's namespace.
 */
const LONGEST_WAIT_MS = 5000;

/** A container's end of it. */
export interface ShimClient {
  readonly stack: NetworkStack;
  readonly link: Link;
  /** With the lengths of their subnets. */
  readonly addresses: readonly Prefix[];
}

/** One address of a container, and the host's that it is reached from. */
interface Way {
  readonly address: Address;
  readonly source: Address;
  /** Whether the container has it in its subnet; else it needs a route there. */
  readonly isNear: boolean;
}

/**
 * Connects the host with a container's addresses, where the parent has an address of the same family. Taken back when ADD fails.
 * @throws CniError 7 when the parent has no address for any of them, 11 when others do not let go of the lock, 101; KernelError; Interrupted
 */
export function connectHost(
  host: NetworkStack,
  parent: Link,
  attachment: Attachment,
  client: ShimClient,
  undo: Undo,
): void {
  const ways = waysTo(client.addresses, usableAddresses(host, parent));
  if (ways.length === 0) throw noSource(ErrorCode.InvalidConfig, parent);
  const lock = acquire();
  if (lock === undefined) throw locked(attachment);
  try {
    undo.push("remove the host's routes to the container", () => disconnectHost(host, attachment));
    const withSix = ways.some((way) => way.address.family === 6);
    const shim = ensureShim(host, attachment.network, parent, withSix);
    for (const way of ways) addRoute(host, routeOf(way, shim, attachment), "replace");
    for (const way of ways) showShim(client, way, shim);
  } finally {
    lock.release();
  }
}

function locked(attachment: Attachment): CniError {
  return new CniError(
    ErrorCode.TryAgain,
    `Cannot connect the host with ${attachment.toString()}: its network namespace is locked by somebody else for more than ${LONGEST_WAIT_MS / 1000} s`,
    "lsof and /proc/locks tell which process in the host's network holds a lock on it",
  );
}

/** The container's side: where the host's address is, and that it is on the link. */
function showShim({ stack, link }: ShimClient, { address, source, isNear }: Way, shim: Link): void {
  setNeighbour(stack, link, source, shim.mac);
  if (isNear) return;
  const route = { destination: Prefix.host(source), linkIndex: link.index, scope: RT_SCOPE_LINK, source: address };
  addRoute(stack, route, "replace");
}

/** Whose it is, metric and protocol tell. */
function routeOf({ address, source }: Way, shim: Link, attachment: Attachment): RouteSpec {
  return {
    destination: Prefix.host(address),
    linkIndex: shim.index,
    scope: RT_SCOPE_LINK,
    source,
    protocol: shimProtocol,
    priority: routeMetric(attachment.key),
  };
}

/**
 * Removes an attachment's routes, and the shim with the last ones of its network, also when others keep the lock. Needs neither
 * namespace nor parent; absence is success. @throws KernelError
 */
export function disconnectHost(host: NetworkStack, attachment: Attachment): void {
  const metric = routeMetric(attachment.key);
  removeRoutes(host, attachment.network, (route) => route.priority === metric);
}

/** The same for all attachments of a network but those that are alive. @throws as disconnectHost */
export function collectHostRoutes(host: NetworkStack, valid: ValidAttachments): void {
  const alive = new Set<number>();
  for (const key of valid.liveKeys()) alive.add(routeMetric(key));
  removeRoutes(host, valid.network, (route) => !alive.has(route.priority));
}

function removeRoutes(host: NetworkStack, network: string, isDoomed: (route: Route) => boolean): void {
  if (listShims(host, network).length === 0) return;
  const lock = acquire();
  try {
    for (const shim of listShims(host, network)) {
      let left = 0;
      for (const route of shimRoutes(host, shim)) {
        if (isDoomed(route)) removeRoute(host, shim, route);
        else left += 1;
      }
      if (left === 0) deleteLink(host, shim);
    }
  } finally {
    if (lock !== undefined) lock.release();
  }
}

function removeRoute(host: NetworkStack, shim: Link, route: Route): void {
  const { destination, priority } = route;
  deleteRoute(host, { destination, linkIndex: shim.index, priority, protocol: shimProtocol });
  // The next container that gets the address has another hardware address.
  deleteNeighbour(host, shim, destination.address);
}

function shimRoutes(host: NetworkStack, shim: Link): Route[] {
  return listRoutes(host, { linkIndex: shim.index }).filter((route): boolean => route.protocol === shimProtocol);
}

/** CHECK: the shim, the host's routes through it, and that the container knows it. @throws CniError 102 */
export function verifyHostWay(host: NetworkStack, attachment: Attachment, client: ShimClient): void {
  const metric = routeMetric(attachment.key);
  const shims = listShims(host, attachment.network);
  const own = (shim: Link): Route[] => shimRoutes(host, shim).filter((route): boolean => route.priority === metric);
  const shim = shims.find((each): boolean => own(each).length > 0) ?? shims.at(0);
  if (shim === undefined) throw drift("the host's shim is missing: the host cannot reach the container");
  if (!shim.up) throw drift(`the host's shim ${shim.name} is down`, `bring it up: ip link set ${shim.name} up`);
  const routes = own(shim);
  const parent = findLinkByIndex(host, shim.linkIndex);
  const wanted = parent === undefined ? [] : waysTo(client.addresses, usableAddresses(host, parent));
  const known = listNeighbours(client.stack, client.link);
  for (const way of wanted) {
    const destination = Prefix.host(way.address);
    const route = routes.find((each): boolean => each.destination.equals(destination));
    if (route === undefined) throw drift(`route ${destination.toString()} dev ${shim.name} is missing on the host`);
    const source = route.source ?? way.source;
    if (!known.some((each) => each.address.equals(source) && each.mac === shim.mac)) {
      throw drift(`the container does not know that the host's address ${source.toString()} is at ${shim.mac}`);
    }
    if (!way.isNear && source.equals(way.source)) verifyRouteBack(client, source);
  }
}

function verifyRouteBack({ stack, link }: ShimClient, source: Address): void {
  const destination = Prefix.host(source);
  const routes = listRoutes(stack, { family: source.family, linkIndex: link.index });
  if (routes.some((each) => each.destination.equals(destination))) return;
  throw drift(`route ${destination.toString()} dev ${link.name} is missing in the container`);
}

/** STATUS: whether the parent has an address to reach containers from. @throws CniError 50 */
export function requireSource(host: NetworkStack, parent: Link): void {
  if (usableAddresses(host, parent).length === 0) throw noSource(ErrorCode.NotAvailable, parent);
}

function noSource(code: number, parent: Link): CniError {
  return new CniError(
    code,
    `the host has no address on ${parent.name} that containers could answer to (hostShim)`,
    `give ${parent.name} an address of the containers' family, or do without hostShim`,
  );
}

/** Those of the parent's addresses that last: not for a moment (privacy), not for the link alone, not another host's. */
function usableAddresses(host: NetworkStack, parent: Link): LinkAddress[] {
  return listAddresses(host, parent).filter((each): boolean => {
    const isTemporary = each.prefix.family === 6 && each.secondary;
    return each.scope === RT_SCOPE_UNIVERSE && !isTemporary && !each.tentative && !each.dadFailed && !each.deprecated;
  });
}

/** For each address the host's that is nearest: of the same subnet, or else the first of the family; none, no way. */
function waysTo(addresses: readonly Prefix[], candidates: readonly LinkAddress[]): Way[] {
  const ways: Way[] = [];
  for (const own of addresses) {
    const ofFamily = candidates.filter((each): boolean => each.prefix.family === own.family);
    const nearest = ofFamily.find((each): boolean => own.contains(each.prefix.address)) ?? ofFamily.at(0);
    if (nearest === undefined) continue;
    const source = nearest.prefix.address;
    ways.push({ address: own.address, source, isNear: own.contains(source) });
  }
  return ways;
}

function acquire(): NamespaceLock | undefined {
  return NamespaceLock.acquire("exclusive", LONGEST_WAIT_MS);
}
