/**
 * The routes of one interface on their way between the main table and others. What is moved is what was found, attribute by attribute.
 *
 *   main ── move ──▶ table    the interface's routes, but for those of IPv6's link-local addresses
 *   main ◀─ give ─── table    all but the default route that was added
 */

import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { RT_TABLE_MAIN } from "../../pkg/netlink/headers/rtnetlink.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { addRoute, type Route, type RouteSpec } from "../../pkg/netlink/route.ts";
import { addRouteCopy, deleteRouteCopy, inOrderOfNeed, listRouteCopies } from "../../pkg/netlink/route-copies.ts";
import type { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { sbrProtocol } from "./rules.ts";
import type { RouteNames } from "./sources.ts";

/** fe80::/10: such addresses mean something on their link alone, which whoever uses them names. */
export function isLinkLocalSix(address: Address): boolean {
  return address.family === 6 && address.isLinkLocal;
}

export function isLinkLocal(copy: RouteCopy): boolean {
  return isLinkLocalSix(copy.route.destination.address);
}

/** The interface's routes in the main table. @throws KernelError */
export function routesInMain(stack: NetworkStack, link: Link): RouteCopy[] {
  return listRouteCopies(stack, { table: RT_TABLE_MAIN, linkIndex: link.index });
}

/**
 * Whether a route can leave the main table: link-local ones are of use to all, and an IPv4 route with other interfaces' ways is not
 * this one's alone. IPv6 keeps each way by itself.
 */
export function canMove(copy: RouteCopy, link: Link): boolean {
  if (isLinkLocal(copy)) return false;
  return copy.route.destination.family === 6 || !copy.isSharedBy(link.index);
}

export function namesOf({ route }: RouteCopy): RouteNames {
  const gateways: Address[] = [];
  if (route.gateway !== undefined) gateways.push(route.gateway);
  for (const hop of route.nexthops) if (hop.gateway !== undefined) gateways.push(hop.gateway);
  return { family: route.destination.family, source: route.source, gateways };
}

/** The default route that sbr adds where none was found. */
export function defaultRoute(
  gateway: Address,
  table: number,
  link: Link,
  priority: number,
  onLink: boolean,
): RouteSpec {
  const everywhere = new Prefix(new Address(new Uint8Array(gateway.bytes.length)), 0);
  return { destination: everywhere, gateway, table, linkIndex: link.index, priority, onLink, protocol: sbrProtocol };
}

/** Puts the interface's routes back into the main table, and removes all that it has in the others. @throws KernelError */
export function giveBack(stack: NetworkStack, link: Link, tables: readonly number[]): void {
  const inTables: RouteCopy[] = [];
  for (const table of tables) inTables.push(...listRouteCopies(stack, { table, linkIndex: link.index }));
  const found = inTables.filter(
    (copy: RouteCopy): boolean => copy.route.protocol !== sbrProtocol && !isLinkLocal(copy),
  );
  putIntoMain(stack, link, found);
  for (const copy of inTables.toReversed()) deleteRouteCopy(stack, copy, copy.route.table, link.index);
}

/** Adds routes of the interface to the main table, those that are not there. @throws KernelError */
export function putIntoMain(stack: NetworkStack, link: Link, copies: readonly RouteCopy[]): void {
  const have = routesInMain(stack, link);
  for (const copy of inOrderOfNeed(copies)) {
    const key = copy.keyOver(link.index);
    if (have.some((each) => each.keyOver(link.index) === key)) continue;
    // It stayed, with the address as a hint; the kernel takes both for the same route.
    const hinted = have.find((each) => isSameButSource(each, copy));
    if (hinted !== undefined) deleteRouteCopy(stack, hinted, RT_TABLE_MAIN, link.index);
    addRouteCopy(stack, copy, RT_TABLE_MAIN, link.index);
  }
}

/** Whether a route of the main table is this one, or this one with a hint. */
export function isSameOrHinted(inMain: RouteCopy, copy: RouteCopy, link: Link): boolean {
  return inMain.keyOver(link.index) === copy.keyOver(link.index) || isSameButSource(inMain, copy);
}

function isSameButSource(hinted: RouteCopy, copy: RouteCopy): boolean {
  if (copy.hasGateway || hinted.hasGateway || copy.route.source !== undefined) return false;
  if (hinted.route.source === undefined || hinted.route.priority !== copy.route.priority) return false;
  return hinted.route.destination.equals(copy.route.destination);
}

/** Gives a route to the link itself, in the main table, an address as its source. @throws KernelError */
export function hintSource(stack: NetworkStack, link: Link, copy: RouteCopy, source: Address): void {
  const { destination, priority, scope, protocol, type, mtu, advmss } = copy.route;
  deleteRouteCopy(stack, copy, RT_TABLE_MAIN, link.index);
  const route = { destination, priority, scope, protocol, type, mtu, advmss, linkIndex: link.index, source };
  addRoute(stack, route, "append");
}

/** Whether a table is the interface's: it has routes, and none over others. */
export function isAllOver(routes: readonly Route[], link: Link): boolean {
  return routes.length > 0 && routes.every((route) => isOver(route, link));
}

export function isOver(route: Route, link: Link): boolean {
  return route.linkIndex === link.index || route.nexthops.some((hop) => hop.linkIndex === link.index);
}

/** Whether a route goes, or may go, by the gateway. */
export function leadsTo(route: Route, gateway: Address): boolean {
  return route.gateway?.equals(gateway) ?? route.nexthops.some((hop) => hop.gateway?.equals(gateway) ?? false);
}
