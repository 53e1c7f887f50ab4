/**
 * Connections of the host itself to 127.0.0.1: the kernel sends them on to a container only with route_localnet on the interface
 * that leads there. Others could then reach the host's own localhost by that interface, which each backend's guard forbids:
 * localnet.ts and iptables-guard.ts remember what is to be turned off again.
 */
import type { Address } from "../../pkg/ip/address.ts";
import { findLinkByIndex, type Link } from "../../pkg/netlink/link.ts";
import { lookupRoute } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { tableExists } from "../../pkg/nftables/ruleset.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import { readSysctl, writeSysctl } from "../../pkg/sysctl/sysctl.ts";
import { drift } from "../../spec/errors.ts";
import { referenceIsInUse } from "./reference-rules.ts";
import { table } from "./sets.ts";

/** The interface by which the host reaches the container; `undefined` when no route leads there but by somebody else's gateway. */
export function interfaceTowards(host: NetworkStack, container: Address): Link | undefined {
  const route = lookupRoute(host, container);
  if (route === undefined || route.gateway !== undefined || route.linkIndex === 0) return undefined;
  return findLinkByIndex(host, route.linkIndex);
}

/** Whether it is the container's own, a veth whose other end is elsewhere. */
export function goesWithContainer(link: Link): boolean {
  return link.linkNamespaceId !== undefined;
}

/** Whether new interfaces have it on. */
export function isOutByDefault(host: NetworkStack): boolean {
  return letsLocalhostOut(host, "default");
}

function keyOf(name: string): string {
  return `net/ipv4/conf/${name}/route_localnet`;
}

/** Whether it is on, whoever turned it on. */
export function letsLocalhostOut(host: NetworkStack, name: string): boolean {
  return readSysctl(host.namespace, keyOf(name)) === "1";
}

/** For CHECK: something may have reset it since ADD (sysctl --system). @throws CniError 102 */
export function verifyLocalhostGoesOut(host: NetworkStack, name: string): void {
  if (letsLocalhostOut(host, name)) return;
  const key = keyOf(name);
  throw drift(
    `the host's connections to 127.0.0.1 do not reach mapped ports: ${key} is 0`,
    `switch it on: sysctl -w ${key}=1; see what in /etc/sysctl.d or elsewhere has switched it off`,
  );
}

/** @throws the file system's error when /proc/sys cannot be written */
export function letLocalhostOut(host: NetworkStack, name: string): void {
  if (!letsLocalhostOut(host, name)) writeSysctl(host.namespace, keyOf(name), "1");
}

/** Turns it off again. Idempotent. @throws the file system's error when /proc/sys cannot be written */
export function keepLocalhostIn(host: NetworkStack, name: string): void {
  writeSysctl(host.namespace, keyOf(name), "0");
}

/** Whether nobody is left who can have turned it on: somebody flushed the rules, and what they knew and guarded. */
export function isLeftOver(host: NetworkStack, name: string): boolean {
  if (!letsLocalhostOut(host, name) || isOutByDefault(host)) return false;
  const isOurs = nftablesPresent(host) && tableExists(host.netfilter, table);
  return !isOurs && !referenceIsInUse(host);
}

/** Turns off what a flush of the rules left on. @throws the file system's error when /proc/sys cannot be written */
export function closeLeftOver(host: NetworkStack, name: string): void {
  if (!isLeftOver(host, name)) return;
  keepLocalhostIn(host, name);
  if (tableExists(host.netfilter, table)) letLocalhostOut(host, name); // an ADD came in between
}
