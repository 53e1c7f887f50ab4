/** CHECK's look at an interface: is it there, of its kind, with the addresses and routes that ADD gave it? */

import { drift } from "../../spec/errors.ts";
import { ipsOf, type Result, type Route } from "../../spec/result.ts";
import type { Address } from "../ip/address.ts";
import { listAddresses } from "../netlink/address.ts";
import { RT_TABLE_LOCAL } from "../netlink/headers/rtnetlink.ts";
import { findLink, type Link } from "../netlink/link.ts";
import { type Route as KernelRoute, listRoutes } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import type { Sandbox } from "../skel/sandbox.ts";
import { routeGateway } from "./configure-interface.ts";

/**
 * The container's interface, verified against the result of ADD; of any kind where that is `undefined`.
 * @throws CniError 102 naming what is missing or different
 */
export function verifyInterface(sandbox: Sandbox, ifName: string, result: Result, kind?: string): Link {
  const described = result.interfaces.find((each) => each.sandbox !== "" && each.name === ifName);
  if (described === undefined) throw drift(`interface ${ifName} is not in prevResult`);
  const stack = sandbox.stack;
  const link = findLink(stack, ifName);
  if (link === undefined) throw drift(`interface ${ifName} is missing in ${sandbox.path}`);
  if (kind !== undefined && link.kind !== kind)
    throw drift(`interface ${ifName} is of kind ${link.kind}, expected ${kind}`);
  if (described.mac !== "" && described.mac.toLowerCase() !== link.mac) {
    throw drift(`interface ${ifName} has hardware address ${link.mac}, expected ${described.mac}`);
  }
  verifyAddresses(stack, link, result);
  verifyRoutes(stack, link, result);
  return link;
}

function verifyAddresses(stack: NetworkStack, link: Link, result: Result): void {
  const have = listAddresses(stack, link);
  for (const ip of ipsOf(result, link.name)) {
    const found = have.find((each) => each.prefix.equals(ip.address));
    if (found === undefined) throw drift(`address ${ip.address.toString()} is missing on interface ${link.name}`);
    if (found.dadFailed)
      throw drift(`address ${ip.address.toString()} on interface ${link.name} is used by another host`);
  }
}

/** A route that names no table was made in the main table, from where a chained plugin (sbr, vrf) may have moved it to another. */
function verifyRoutes(stack: NetworkStack, link: Link, result: Result): void {
  for (const route of result.routes) {
    const gateway = routeGateway(route, result);
    const have = listRoutes(stack, { family: route.dst.family, table: route.table });
    if (have.some((each) => each.table !== RT_TABLE_LOCAL && isRoute(each, link, route, gateway))) continue;
    const via = gateway === undefined ? "" : ` via ${gateway.toString()}`;
    const where = route.table === undefined ? "" : ` in table ${route.table}`;
    throw drift(`route ${route.dst.toString()}${via} dev ${link.name} is missing${where}`);
  }
}

function isRoute(have: KernelRoute, link: Link, route: Route, gateway: Address | undefined): boolean {
  if (!have.destination.equals(route.dst.masked)) return false;
  if (route.priority !== 0 && have.priority !== route.priority) return false;
  if (leads(have.linkIndex, have.gateway, link, gateway)) return true;
  return have.nexthops.some((hop) => leads(hop.linkIndex, hop.gateway, link, gateway));
}

function leads(linkIndex: number, have: Address | undefined, link: Link, gateway: Address | undefined): boolean {
  if (linkIndex !== link.index) return false;
  return gateway === undefined || (have?.equals(gateway) ?? false);
}
