/** Packet forwarding on the host, switched on without cutting the host off. Used by bridge and ptp. */

import type { IpConfig } from "../../spec/result.ts";
import { findLinkByIndex } from "../netlink/link.ts";
import { listRoutes } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { ensureSysctl, readSysctl, writeSysctl } from "../sysctl/sysctl.ts";

/** rtnetlink.h RTPROT_RA: learned from a router advertisement. */
const PROTOCOL_RA = 9;
const FORWARD_SIX = "net/ipv6/conf/all/forwarding";

/** Switches forwarding on for the families of the addresses. Idempotent. @throws KernelError when /proc/sys is read-only */
export function enableForwarding(host: NetworkStack, ips: readonly IpConfig[]): void {
  if (ips.some((ip) => ip.address.family === 4)) ensureSysctl(host.namespace, "net/ipv4/ip_forward", "1");
  if (!ips.some((ip) => ip.address.family === 6)) return;
  if (readSysctl(host.namespace, FORWARD_SIX) === "0") keepRouterAdvertisements(host);
  ensureSysctl(host.namespace, FORWARD_SIX, "1");
}

/** A forwarding host drops the routes it learned by advertisement unless accept_ra is 2 (ip-sysctl.rst). */
function keepRouterAdvertisements(host: NetworkStack): void {
  const indexes = new Set<number>();
  for (const route of listRoutes(host, { family: 6 })) {
    if (route.protocol === PROTOCOL_RA && route.linkIndex !== 0) indexes.add(route.linkIndex);
  }
  for (const index of indexes) {
    const name = findLinkByIndex(host, index)?.name ?? "";
    const key = `net/ipv6/conf/${name}/accept_ra`;
    if (name !== "" && readSysctl(host.namespace, key) === "1") writeSysctl(host.namespace, key, "2");
  }
}
