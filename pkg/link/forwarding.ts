/** Packet forwarding on the host, switched on without cutting the host off. Used by bridge and ptp. */

import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig } from "../../spec/result.ts";
import { RTPROT_RA } from "../netlink/headers/rtnetlink.ts";
import { findLinkByIndex } from "../netlink/link.ts";
import { listRoutes } from "../netlink/route.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { ensureSysctl, readSysctl, writeRefusal, writeSysctl } from "../sysctl/sysctl.ts";

/** rtnetlink.h RTPROT_RA: learned from a router advertisement. */
const FORWARD_FOUR = "net/ipv4/ip_forward";
const FORWARD_SIX = "net/ipv6/conf/all/forwarding";

/** Switches forwarding on for the families of the addresses. Idempotent. @throws KernelError when /proc/sys is read-only */
export function enableForwarding(host: NetworkStack, ips: readonly IpConfig[]): void {
  if (ips.some((ip) => ip.address.family === 4)) ensureSysctl(host.namespace, FORWARD_FOUR, "1");
  if (!ips.some((ip) => ip.address.family === 6)) return;
  if (readSysctl(host.namespace, FORWARD_SIX) === "0") keepRouterAdvertisements(host);
  ensureSysctl(host.namespace, FORWARD_SIX, "1");
}

/** For STATUS: which families an ADD will need is IPAM's to know. @throws CniError 50 when it could forward none */
export function requireForwarding(host: NetworkStack): void {
  for (const key of [FORWARD_FOUR, FORWARD_SIX]) {
    if (readSysctl(host.namespace, key) === "1" || writeRefusal(key) === "") return;
  }
  throw new CniError(
    ErrorCode.NotAvailable,
    "Cannot switch on packet forwarding: net.ipv4.ip_forward is 0 and cannot be written",
    "make /proc/sys writable for the plugin, or set net.ipv4.ip_forward to 1 beforehand",
  );
}

/** For CHECK: something may have reset it since ADD (sysctl --system). @throws CniError 102 */
export function verifyForwarding(host: NetworkStack, ips: readonly IpConfig[]): void {
  if (ips.some((ip) => ip.address.family === 4)) verify(host, FORWARD_FOUR, "net.ipv4.ip_forward");
  if (ips.some((ip) => ip.address.family === 6)) verify(host, FORWARD_SIX, "net.ipv6.conf.all.forwarding");
}

function verify(host: NetworkStack, key: string, name: string): void {
  if (readSysctl(host.namespace, key) !== "0") return;
  throw drift(
    `packet forwarding is off on the host: ${name} is 0`,
    `switch it on: sysctl -w ${name}=1; see what in /etc/sysctl.d or elsewhere has switched it off`,
  );
}

/** A forwarding host drops the routes it learned by advertisement unless accept_ra is 2 (ip-sysctl.rst). */
function keepRouterAdvertisements(host: NetworkStack): void {
  const indexes = new Set<number>();
  for (const route of listRoutes(host, { family: 6 })) {
    if (route.protocol === RTPROT_RA && route.linkIndex !== 0) indexes.add(route.linkIndex);
  }
  for (const index of indexes) {
    const name = findLinkByIndex(host, index)?.name ?? "";
    const key = `net/ipv6/conf/${name}/accept_ra`;
    if (name !== "" && readSysctl(host.namespace, key) === "1") writeSysctl(host.namespace, key, "2");
  }
}
