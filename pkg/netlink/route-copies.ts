/** Routes as they are, listed, added to tables and deleted. Used by what moves routes, or links with their routes. */
import { KernelError } from "../linux/errno.ts";
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE } from "./headers/netlink.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "./headers/rtnetlink.ts";
import { dumpedRoutes, matchesFilter, modeFlags, type RouteFilter, type RouteMode } from "./route.ts";
import { RouteCopy } from "./route-copy.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

/** The routes that match, whole. @throws KernelError */
export function listRouteCopies(stack: NetworkStack, filter: RouteFilter = {}): RouteCopy[] {
  const found: RouteCopy[] = [];
  for (const message of dumpedRoutes(stack, filter)) {
    const copy = message.type === RTM_NEWROUTE ? RouteCopy.of(message.body) : undefined;
    if (copy !== undefined && !copy.isCached && matchesFilter(copy.route, filter)) found.push(copy);
  }
  return found;
}

/** Adds the ways over the link to a table, behind its equals; whether that was needed. @throws KernelError */
export function addRouteCopy(stack: NetworkStack, copy: RouteCopy, table: number, linkIndex: number): boolean {
  try {
    const { operation, type, flags, body } = additionOf(copy, table, linkIndex);
    stack.route.request(operation, type, flags, body);
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "EEXIST") return false;
    if (!copy.isOfObject) throw error;
    // A nexthop object goes when its link goes down; the route is then written out.
    const body = copy.message(table, linkIndex, false);
    stack.route.request(`add route ${copy.toString()}`, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, body);
    return true;
  }
}

/** The same as part of a batch, in which nexthop objects are not relied on. */
export function additionOf(
  copy: RouteCopy,
  table: number,
  linkIndex: number,
  mayNameNexthop = true,
  mode: RouteMode = "append",
): BatchMessage {
  return {
    operation: `add route ${copy.toString()} to table ${table}`,
    type: RTM_NEWROUTE,
    flags: modeFlags(mode) | NLM_F_ACK,
    body: copy.message(table, linkIndex, mayNameNexthop),
  };
}

/** Deletes the ways over the link from a table; whether they were there. @throws KernelError */
export function deleteRouteCopy(stack: NetworkStack, copy: RouteCopy, table: number, linkIndex: number): boolean {
  try {
    const { operation, type, flags, body } = deletionOf(copy, table, linkIndex);
    stack.route.request(operation, type, flags, body);
    return true;
  } catch (error) {
    if (error instanceof KernelError && (error.errno === "ESRCH" || error.errno === "ENODEV")) return false;
    throw error;
  }
}

/** The same as part of a batch. */
export function deletionOf(copy: RouteCopy, table: number, linkIndex: number): BatchMessage {
  return {
    operation: `delete route ${copy.toString()} from table ${table}`,
    type: RTM_DELROUTE,
    flags: NLM_F_ACK,
    body: copy.message(table, linkIndex),
  };
}

/** Those that others need to be there first come first: a gateway must be reachable. Otherwise the order stays. */
export function inOrderOfNeed(copies: readonly RouteCopy[]): RouteCopy[] {
  return copies.toSorted((a, b) => (a.hasGateway ? 1 : 0) - (b.hasGateway ? 1 : 0));
}
