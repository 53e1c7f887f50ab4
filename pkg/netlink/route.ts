/** Routes: listed, added, deleted, and asked for one address. Source: rtnetlink(7), linux/rtnetlink.h. */
import type { Address, Family } from "../ip/address.ts";
import { KernelError } from "../linux/errno.ts";
import { Attributes } from "./attributes.ts";
import { familyNumber } from "./family.ts";
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "./headers/netlink.ts";
import {
  RT_SCOPE_NOWHERE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_UNREACHABLE,
} from "./headers/rtnetlink.ts";
import { type Message, messageBody } from "./message.ts";
import { decodeRoute, encodeRoute, type Route, type RouteSpec, routeAttributes, routeHeader } from "./route-message.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

export type { Nexthop, Route, RouteSpec } from "./route-message.ts";

/** Which routes; `undefined` means any. */
export interface RouteFilter {
  readonly family?: Family | undefined;
  readonly table?: number | undefined;
  /** Also a route of which this is one of several ways. */
  readonly linkIndex?: number | undefined;
}

/** The routes that match, of every table; those that the kernel caches for single destinations are left out. @throws KernelError */
export function listRoutes(stack: NetworkStack, filter: RouteFilter = {}): Route[] {
  const found: Route[] = [];
  for (const message of dumpedRoutes(stack, filter)) {
    const route = decodeRoute(message);
    if (route !== undefined && matchesFilter(route, filter)) found.push(route);
  }
  return found;
}

/** The kernel's messages about routes: those that match, and with old kernels others (`matchesFilter`). @throws KernelError */
export function dumpedRoutes(stack: NetworkStack, filter: RouteFilter): Message[] {
  const messages: Message[] = [];
  for (const family of families(filter.family)) {
    for (const message of dumpRoutes(stack, family, filter)) messages.push(message);
  }
  return messages;
}

function families(only: Family | undefined): readonly Family[] {
  return only === undefined ? [4, 6] : [only];
}

function dumpRoutes(stack: NetworkStack, family: Family, filter: RouteFilter): Message[] {
  const content = new Attributes()
    .set(routeAttributes.table, filter.table)
    .set(routeAttributes.linkIndex, filter.linkIndex);
  const body = messageBody(routeHeader({ family: familyNumber(family), length: 0 }), content);
  try {
    return stack.route.dump("list routes", RTM_GETROUTE, body);
  } catch (error) {
    // A table without routes does not exist, nor does a link that is gone; without IPv6 there is nothing to ask.
    if (error instanceof KernelError && (error.errno === "ENOENT" || error.errno === "ENODEV")) return [];
    if (error instanceof KernelError && error.errno === "EOPNOTSUPP" && family === 6) return [];
    throw error;
  }
}

/** Kernels before 4.20 do not filter. */
export function matchesFilter(route: Route, filter: RouteFilter): boolean {
  if (filter.table !== undefined && route.table !== filter.table) return false;
  if (filter.linkIndex === undefined || route.linkIndex === filter.linkIndex) return true;
  return route.nexthops.some((hop) => hop.linkIndex === filter.linkIndex);
}

/**
 * What happens to routes to the same destination: `create` refuses an equal one (IPv6 adds another way to it), `exclusive`
 * refuses any of the same priority, `replace` replaces it, `append` comes after it.
 */
export type RouteMode = "create" | "exclusive" | "replace" | "append";

/** NLM_F_* of it. */
export function modeFlags(mode: RouteMode): number {
  switch (mode) {
    case "create":
      return NLM_F_CREATE;
    case "exclusive":
      return NLM_F_CREATE | NLM_F_EXCL;
    case "replace":
      return NLM_F_CREATE | NLM_F_REPLACE;
    case "append":
      return NLM_F_CREATE | NLM_F_APPEND;
  }
}

/** Adds a route. @throws KernelError; EEXIST, ENETUNREACH when the gateway is on no link */
export function addRoute(stack: NetworkStack, route: RouteSpec, mode: RouteMode): void {
  stack.route.request(`add route ${routeText(route)}`, RTM_NEWROUTE, modeFlags(mode), encodeRoute(route, 0));
}

/** Deletes the first route that matches all that is given; whether there was one. @throws KernelError */
export function deleteRoute(stack: NetworkStack, route: RouteSpec): boolean {
  try {
    const { operation, type, flags, body } = routeDeletion(route);
    stack.route.request(operation, type, flags, body);
    return true;
  } catch (error) {
    if (error instanceof KernelError && (error.errno === "ESRCH" || error.errno === "ENODEV")) return false;
    throw error;
  }
}

/** The same as part of a batch. */
export function routeDeletion(route: RouteSpec): BatchMessage {
  const body = encodeRoute({ ...route, protocol: route.protocol ?? 0, type: route.type ?? 0 }, RT_SCOPE_NOWHERE);
  return { operation: `delete route ${routeText(route)}`, type: RTM_DELROUTE, flags: NLM_F_ACK, body };
}

function routeText(route: RouteSpec): string {
  const gateway = route.gateway === undefined ? "" : ` via ${route.gateway.toString()}`;
  return `${route.destination.toString()}${gateway}`;
}

/** RTN_UNREACHABLE, RTN_PROHIBIT, RTN_BLACKHOLE */
const REFUSING_TYPES: readonly number[] = [RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT];
const UNREACHABLE: readonly string[] = ["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"];

/** The route that a packet to this address takes; `undefined` when none leads there. @throws KernelError */
export function lookupRoute(stack: NetworkStack, address: Address): Route | undefined {
  const header = routeHeader({ family: familyNumber(address.family), length: address.bits });
  const body = messageBody(header, new Attributes().set(routeAttributes.destination, address));
  try {
    const answer = stack.route.request(`look up the route to ${address.toString()}`, RTM_GETROUTE, 0, body).at(0);
    const route = answer === undefined ? undefined : decodeRoute(answer);
    return route === undefined || REFUSING_TYPES.includes(route.type) ? undefined : route;
  } catch (error) {
    if (error instanceof KernelError && UNREACHABLE.includes(error.errno)) return undefined;
    throw error;
  }
}

/** The routes to everywhere of a family, best first; one that refuses leads nowhere. @throws KernelError */
export function defaultRoutes(stack: NetworkStack, family: Family): Route[] {
  const found = listRoutes(stack, { family, table: RT_TABLE_MAIN }).filter(
    (route) => route.destination.isDefault && !REFUSING_TYPES.includes(route.type),
  );
  return found.toSorted((a, b) => a.priority - b.priority);
}
