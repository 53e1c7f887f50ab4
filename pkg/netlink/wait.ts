/** Waiting for the kernel: by its notifications, with a deadline, never by sleeping. Source: rtnetlink(7), RTNLGRP_*. */
import { clockMs } from "#system";
import { type LinkAddress, listAddressesOf } from "./address.ts";
import {
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
} from "./headers/rtnetlink.ts";
import { findLinkByIndex, type Link, listLinks } from "./link.ts";
import { listRoutes, type Route, type RouteFilter } from "./route.ts";
import type { NetworkStack } from "./stack.ts";

/**
 * Waits until the link is as wanted: the link then, or `undefined` after `timeoutMs` or as soon as it is gone.
 * @throws KernelError; Interrupted
 */
export function waitForLink(
  stack: NetworkStack,
  index: number,
  isReady: (link: Link) => boolean,
  timeoutMs: number,
): Link | undefined {
  let link: Link | undefined;
  const look = (): boolean => {
    link = findLinkByIndex(stack, index);
    return link === undefined || isReady(link);
  };
  return waitFor(stack, `wait for link ${index}`, [RTNLGRP_LINK], look, timeoutMs) ? link : undefined;
}

/** Waits until there is such a link, and returns it; `undefined` after `timeoutMs`. @throws KernelError; Interrupted */
export function waitForNewLink(
  stack: NetworkStack,
  what: string,
  isWanted: (link: Link) => boolean,
  timeoutMs: number,
): Link | undefined {
  let found: Link | undefined;
  const look = (): boolean => {
    found = listLinks(stack).find((link) => isWanted(link));
    return found !== undefined;
  };
  return waitFor(stack, `wait for ${what}`, [RTNLGRP_LINK], look, timeoutMs) ? found : undefined;
}

/**
 * Waits until every address of the link is as wanted, and returns the addresses as they are then, or after `timeoutMs`.
 * @throws KernelError; Interrupted
 */
export function waitForAddresses(
  stack: NetworkStack,
  linkIndex: number,
  isReady: (address: LinkAddress) => boolean,
  timeoutMs: number,
): LinkAddress[] {
  let addresses: LinkAddress[] = [];
  const look = (): boolean => {
    addresses = listAddressesOf(stack, linkIndex);
    return addresses.every(isReady);
  };
  waitFor(
    stack,
    `wait for the addresses of link ${linkIndex}`,
    [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR],
    look,
    timeoutMs,
  );
  return addresses;
}

/** Waits until there are routes as wanted; whether there were before `timeoutMs` had passed. @throws KernelError; Interrupted */
export function waitForRoutes(
  stack: NetworkStack,
  what: string,
  filter: RouteFilter,
  areReady: (routes: readonly Route[]) => boolean,
  timeoutMs: number,
): boolean {
  const look = (): boolean => areReady(listRoutes(stack, filter));
  return waitFor(stack, `wait for ${what}`, [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE], look, timeoutMs);
}

/** Looks, and again after each notification; whether what was seen was as wanted before the time was up. */
function waitFor(
  stack: NetworkStack,
  operation: string,
  groups: readonly number[],
  look: () => boolean,
  timeoutMs: number,
): boolean {
  if (look()) return true;
  const untilMs = clockMs() + timeoutMs;
  const notifications = stack.watch(groups);
  try {
    // What changed since the first look is in no notification.
    while (!look()) {
      if (notifications.receive(operation, untilMs) === undefined) return look();
    }
    return true;
  } finally {
    notifications.close();
  }
}
