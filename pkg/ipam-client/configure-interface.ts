/** Puts an IPAM result on an interface: addresses, then up, then routes. Used by every interface plugin. */

import { CniError, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import { interfaceOf, type Result, type Route } from "../../spec/result.ts";
import type { Address } from "../ip/address.ts";
import { requireMtuForSix } from "../link/least-mtu.ts";
import { addAddress } from "../netlink/address.ts";
import { IFF_LOWER_UP } from "../netlink/headers/if.ts";
import { RT_SCOPE_LINK } from "../netlink/headers/rtnetlink.ts";
import { changeLink, findLinkByIndex, type Link } from "../netlink/link.ts";
import { addRoute } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { waitForAddresses } from "../netlink/wait.ts";
import { ensureSysctl, writeSysctl } from "../sysctl/sysctl.ts";

const DAD_DEADLINE_MS = 5000;

export interface InterfaceOptions {
  /** Whether IPv6 addresses are first probed for duplicates; pointless on a link with two ends that we made both. */
  readonly detectDuplicates: boolean;
}

/**
 * Gives `link` the result's addresses that belong to it (by `interface`), sets it up and adds the routes. Not idempotent.
 * Where duplicates are looked for and there is carrier, it returns when the addresses can be used: a program could not listen on one
 * before, and nobody would be told of a duplicate.
 * @throws KernelError, or CniError 7 when an address names another interface, 101 when another host has one, 11 when none of that is
 * known after five seconds
 */
export function configureInterface(stack: NetworkStack, link: Link, result: Result, options: InterfaceOptions): void {
  requireOwnAddresses(link, result);
  const hasSix = result.ips.some((ip) => ip.address.family === 6);
  if (hasSix) requireMtuForSix(link);
  const detects = hasSix && options.detectDuplicates;
  if (hasSix) enableSix(stack, link);
  const delay = detects ? ensureSysctl(stack.namespace, delayKey(link), "0") : undefined;
  for (const ip of result.ips) {
    if (ip.interface === undefined) continue;
    addAddress(stack, link, ip.address, { noDad: !options.detectDuplicates });
  }
  changeLink(stack, link, { up: true });
  if (detects && hasCarrier(stack, link)) awaitSettled(stack, link);
  if (delay !== undefined) ensureSysctl(stack.namespace, delayKey(link), delay);
  for (const route of result.routes) addResultRoute(stack, link, route, result);
}

function requireOwnAddresses(link: Link, result: Result): void {
  if (result.interfaces.length === 0)
    throw invalidConfig(
      `no interfaces to configure: the result does not have ${link.name}`,
      "this is a bug of the plugin that made the interface: please report it",
    );
  for (const ip of result.ips) {
    if (ip.interface === undefined) continue;
    if (interfaceOf(result, ip)?.name !== link.name) {
      throw invalidConfig(
        `failed to add IP addr ${ip.address.toString()} to "${link.name}": invalid interface index ${ip.interface}`,
        "an IPAM plugin leaves the interface out, or gives the index of the container's",
      );
    }
  }
}

/** IPv6 may be off by default in a container; an address of it was asked for, and must outlive the link going down. */
function enableSix(stack: NetworkStack, link: Link): void {
  ensureSysctl(stack.namespace, "net/ipv6/conf/lo/disable_ipv6", "0");
  ensureSysctl(stack.namespace, `net/ipv6/conf/${link.name}/disable_ipv6`, "0");
  writeSysctl(stack.namespace, `net/ipv6/conf/${link.name}/keep_addr_on_down`, "1");
}

/**
 * Up to so many seconds, at random, the kernel waits before it looks for duplicates: for the sake of machines that are switched on
 * all at once (RFC 4862 section 5.4.2). Containers are not, and their start waits for this.
 */
function delayKey(link: Link): string {
  return `net/ipv6/conf/${link.name}/router_solicitation_delay`;
}

/**
 * Without carrier nothing is probed, for as long as that lasts; the addresses become usable when it comes. The operational state would
 * tell it a moment later.
 */
function hasCarrier(stack: NetworkStack, link: Link): boolean {
  return ((findLinkByIndex(stack, link.index)?.flags ?? 0) & IFF_LOWER_UP) !== 0;
}

function awaitSettled(stack: NetworkStack, link: Link): void {
  const settled = waitForAddresses(
    stack,
    link.index,
    (address) => !address.tentative || address.dadFailed,
    DAD_DEADLINE_MS,
  );
  for (const address of settled) {
    if (!address.dadFailed) continue;
    throw new CniError(
      ErrorCode.Taken,
      `address ${address.prefix.toString()} of ${link.name} is used by another host: duplicate address detection failed`,
      "remove the other host's address, or take this one out of the range",
    );
  }
  const open = settled.find((address) => address.tentative);
  // The carrier may have been lost meanwhile: then it is as if there had been none.
  if (open === undefined || !hasCarrier(stack, link)) return;
  throw new CniError(
    ErrorCode.TryAgain,
    `address ${open.prefix.toString()} of ${link.name} cannot be used yet: the kernel still looks for duplicates after ${DAD_DEADLINE_MS / 1000} s`,
    "it asks net.ipv6.conf.*.dad_transmits times, a second apart: lower that in the container, or use probeAddresses where the plugin has it",
  );
}

function addResultRoute(stack: NetworkStack, link: Link, route: Route, result: Result): void {
  addRoute(
    stack,
    {
      destination: route.dst,
      gateway: routeGateway(route, result),
      linkIndex: link.index,
      priority: route.priority,
      table: route.table ?? 0,
      scope: route.scope,
      mtu: route.mtu,
      advmss: route.advmss,
    },
    "create",
  );
}

/** A route's own gateway, or the family's first; 0.0.0.0 says "none", and so does the scope of the link or of the host. */
export function routeGateway(route: Route, result: Result): Address | undefined {
  if (route.gw !== undefined) return route.gw.isUnspecified ? undefined : route.gw;
  if (route.scope !== undefined && route.scope >= RT_SCOPE_LINK) return undefined;
  return result.ips.find((ip) => ip.address.family === route.dst.family && ip.gateway !== undefined)?.gateway;
}
