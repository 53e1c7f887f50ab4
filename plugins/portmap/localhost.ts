/**
 * Connections of the host itself to 127.0.0.1: the kernel sends them on to a container only with route_localnet on the interface
 * that leads there. Others could then reach the host's own localhost by that interface, which the table's guard forbids.
 */
import type { Address } from "../../pkg/ip/address.ts";
import { findLinkByIndex } from "../../pkg/netlink/link.ts";
import { lookupRoute } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { readSysctl, writeSysctl } from "../../pkg/sysctl/sysctl.ts";

/** The interface by which the host reaches the container; `undefined` when no route leads there. */
export function interfaceTowards(host: NetworkStack, container: Address): string | undefined {
  const index = lookupRoute(host, container)?.linkIndex ?? 0;
  return index === 0 ? undefined : findLinkByIndex(host, index)?.name;
}

function keyOf(name: string): string {
  return `net/ipv4/conf/${name}/route_localnet`;
}

/** Whether somebody turned it on before us. */
export function letsLocalhostOut(host: NetworkStack, name: string): boolean {
  return readSysctl(host.namespace, keyOf(name)) === "1";
}

/** @throws the file system's error when /proc/sys cannot be written */
export function letLocalhostOut(host: NetworkStack, name: string): void {
  if (!letsLocalhostOut(host, name)) writeSysctl(host.namespace, keyOf(name), "1");
}

/** Turns it off again. Idempotent. @throws the file system's error when /proc/sys cannot be written */
export function keepLocalhostIn(host: NetworkStack, name: string): void {
  writeSysctl(host.namespace, keyOf(name), "0");
}
