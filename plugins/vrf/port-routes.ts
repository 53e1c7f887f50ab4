/**
 * Joining and leaving a VRF. The kernel sets the link down and up again for it, by which all its routes are lost and, unless it is
 * told otherwise, its IPv6 addresses; then it makes again what belongs to addresses, in the table where the link is now. All else
 * is put back here, as it was found.
 *
 *   table main:  default via 10.1.0.1 dev eth0      ── join ──▶     table of the VRF: the same
 *                10.9.0.0/16 via …                  ◀─ leave ──
 */

import { Prefix } from "../../pkg/ip/prefix.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { type LinkAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { type AddressCopy, listAddressCopies } from "../../pkg/netlink/address-copy.ts";
import { IFF_LOWER_UP } from "../../pkg/netlink/headers/if.ts";
import { IFA_F_NODAD } from "../../pkg/netlink/headers/if-addr.ts";
import {
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RTN_ANYCAST,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from "../../pkg/netlink/headers/rtnetlink.ts";
import { findLinkByIndex, type Link, linkChange } from "../../pkg/netlink/link.ts";
import { type Route, type RouteFilter, routeDeletion } from "../../pkg/netlink/route.ts";
import {
  additionOf,
  addRouteCopy,
  deleteRouteCopy,
  deletionOf,
  inOrderOfNeed,
  listRouteCopies,
} from "../../pkg/netlink/route-copies.ts";
import type { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import type { BatchMessage } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { waitForAddresses, waitForRoutes } from "../../pkg/netlink/wait.ts";
import { ensureSysctl } from "../../pkg/sysctl/sysctl.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";

const DEADLINE_MS = 5000;

/** A route and the table it is to be in. */
interface Placed {
  readonly copy: RouteCopy;
  readonly table: number;
}

/** What a link has that does not survive. */
export interface PortState {
  readonly link: Link;
  /** IPv6's. */
  readonly addresses: readonly AddressCopy[];
  /** The subnets of both families' addresses. */
  readonly subnets: readonly Prefix[];
  readonly routes: readonly RouteCopy[];
}

/** The link's addresses and routes as they are. @throws KernelError */
export function stateOf(stack: NetworkStack, link: Link): PortState {
  const routes = listRouteCopies(stack, { linkIndex: link.index });
  return {
    link,
    addresses: listAddressCopies(stack, link.index, 6),
    subnets: subnetsOf(listAddresses(stack, link)),
    routes: routes.filter((copy: RouteCopy): boolean => isMeant(copy.route)),
  };
}

function subnetsOf(addresses: readonly LinkAddress[]): Prefix[] {
  const subnets: Prefix[] = [];
  for (const { prefix, peer } of addresses) subnets.push(new Prefix(peer ?? prefix.address, prefix.length).masked);
  return subnets;
}

/** What the kernel derives from addresses is not: it makes these again, and they are no others' to make. */
function isMeant({ type, protocol, table }: Route): boolean {
  if (table === RT_TABLE_LOCAL || type === RTN_LOCAL || type === RTN_BROADCAST || type === RTN_ANYCAST) return false;
  return type !== RTN_MULTICAST || protocol !== RTPROT_KERNEL;
}

/**
 * Makes the link a port of the VRF, or of none (0), with its routes of table `from` in table `to` and all others where they were.
 * Idempotent: what is right already stays. @throws KernelError; CniError 11 when addresses do not become usable in time
 */
export function changeMaster(
  stack: NetworkStack,
  state: PortState,
  masterIndex: number,
  from: number,
  to: number,
): void {
  const { link } = state;
  const placed = placesOf(state, from, to);
  const now = findLinkByIndex(stack, link.index);
  if (now === undefined) return;
  if (now.masterIndex !== masterIndex) {
    keepingAddresses(stack, state, () => {
      enslave(stack, state, masterIndex, from, to, placed);
      awaitAddresses(stack, state, masterIndex === 0 ? RT_TABLE_LOCAL : to);
    });
  }
  settleRoutes(stack, link, placed, to);
}

/** Where each route is to be; a route with other links' ways stays, but for IPv6's, which keeps each way by itself. */
function placesOf({ link, routes }: PortState, from: number, to: number): Placed[] {
  const staying = new Set<string>();
  for (const copy of routes) {
    if (copy.route.table === to && isKeptWhole(copy, link)) staying.add(copy.keyOver(link.index));
  }
  const placed: Placed[] = [];
  for (const copy of inOrderOfNeed(routes)) {
    const isMoving = copy.route.table === from;
    if (copy.isSharedBy(link.index) && !isMoving) continue;
    if (isKeptWhole(copy, link) && from === to) continue;
    if (isMoving && from !== to && staying.has(copy.keyOver(link.index))) continue;
    placed.push({ copy, table: isMoving ? to : copy.route.table });
  }
  return placed;
}

/** The kernel keeps such a route while the link is down, and uses the way again when it is up. */
function isKeptWhole(copy: RouteCopy, link: Link): boolean {
  return copy.route.destination.family === 4 && copy.isSharedBy(link.index);
}

/** In one message, so that nobody sees, and no signal leaves, a link without its routes. */
function enslave(
  stack: NetworkStack,
  state: PortState,
  masterIndex: number,
  from: number,
  to: number,
  placed: readonly Placed[],
): void {
  const { link } = state;
  const messages: BatchMessage[] = [];
  // IPv6 keeps the ways of other links, and would keep the one over this link with them.
  for (const { copy } of placed) {
    if (copy.route.table === from && copy.route.destination.family === 6 && copy.isSharedBy(link.index)) {
      messages.push(deletionOf(copy, from, link.index));
    }
  }
  messages.push(linkChange(link, { masterIndex }));
  for (const address of state.addresses) messages.push(address.addition());
  // The kernel makes a route to each address's subnet, also where somebody had removed it.
  for (const destination of state.subnets) {
    const had = placed.some(
      ({ copy }) => copy.route.protocol === RTPROT_KERNEL && copy.route.destination.equals(destination),
    );
    if (had) continue;
    messages.push(
      routeDeletion({ destination, linkIndex: link.index, table: to, protocol: RTPROT_KERNEL, type: RTN_UNICAST }),
    );
  }
  for (const { copy, table } of placed) messages.push(additionOf(copy, table, link.index, false));
  try {
    stack.route.batch(`change the master of ${link.name}`, messages);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    // Most are there already, and some need others that come a moment later: settleRoutes looks at what is missing.
    const after = findLinkByIndex(stack, link.index);
    if (after !== undefined && after.masterIndex !== masterIndex) throw error;
  }
}

/**
 * Lets addresses live through the link's going down, and does not look for duplicates of them a second time, which would take a second
 * and more.
 */
function keepingAddresses(stack: NetworkStack, state: PortState, action: () => void): void {
  const { link, addresses } = state;
  const own = addresses.filter((each: AddressCopy): boolean => each.address.scope === RT_SCOPE_UNIVERSE);
  if (own.length === 0) {
    action();
    return;
  }
  const { namespace } = stack;
  const keep = `net/ipv6/conf/${link.name}/keep_addr_on_down`;
  const detect = `net/ipv6/conf/${link.name}/accept_dad`;
  const isSettled = own.every((each) => !each.address.tentative && !each.address.dadFailed);
  const needsDetection = own.some((each) => (each.address.flags & IFA_F_NODAD) === 0);
  const keptBefore = ensureSysctl(namespace, keep, "1");
  const detectedBefore = isSettled && needsDetection ? ensureSysctl(namespace, detect, "0") : undefined;
  try {
    action();
  } finally {
    if (detectedBefore !== undefined) ensureSysctl(namespace, detect, detectedBefore);
    if (keptBefore !== undefined) ensureSysctl(namespace, keep, keptBefore);
  }
}

/** Until the kernel, in its own time, has made the addresses usable in their new table. Without carrier that can take for ever. */
function awaitAddresses(stack: NetworkStack, state: PortState, table: number): void {
  const { link } = state;
  const own = state.addresses.filter((each: AddressCopy): boolean => each.address.scope === RT_SCOPE_UNIVERSE);
  const now = findLinkByIndex(stack, link.index);
  if (own.length === 0 || now === undefined || (now.flags & IFF_LOWER_UP) === 0) return;
  waitForAddresses(stack, link.index, (address) => !address.tentative || address.dadFailed, DEADLINE_MS);
  const areLocal = (routes: readonly Route[]): boolean =>
    own.every(({ address }) =>
      routes.some(
        (route) => route.destination.length === 128 && route.destination.address.equals(address.prefix.address),
      ),
    );
  const filter: RouteFilter = { family: 6, table, linkIndex: link.index };
  if (own.some((each) => each.address.dadFailed)) return;
  if (waitForRoutes(stack, `the addresses of ${link.name}`, filter, areLocal, DEADLINE_MS)) return;
  throw new CniError(
    ErrorCode.TryAgain,
    `failed getting local/host addresses for ${link.name} in table ${table} within ${DEADLINE_MS / 1000} s`,
    "ip -6 address in the container tells which address is tentative or failed",
  );
}

/** Adds what is still missing, and removes what the kernel has made anew though it was not there. */
function settleRoutes(stack: NetworkStack, link: Link, placed: readonly Placed[], to: number): void {
  const have = listRouteCopies(stack, { linkIndex: link.index });
  for (const { copy, table } of placed) {
    const key = copy.keyOver(link.index);
    if (have.some((each) => each.route.table === table && each.keyOver(link.index) === key)) continue;
    addRouteCopy(stack, copy, table, link.index);
  }
  for (const each of have) {
    if (each.route.table !== to || each.route.protocol !== RTPROT_KERNEL || !isMeant(each.route)) continue;
    const key = each.keyOver(link.index);
    if (placed.some(({ copy, table }) => table === to && copy.keyOver(link.index) === key)) continue;
    deleteRouteCopy(stack, each, to, link.index);
  }
}
