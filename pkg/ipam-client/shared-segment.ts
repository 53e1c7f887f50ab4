/**
 * An interface on a segment that it shares with other hosts, such as a macvlan's: the kernel announces its addresses there, and takes
 * no IPv6 from there that was not asked for. Used by the plugins whose containers are on the parent's segment.
 */
import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import type { Keys } from "../../spec/keys.ts";
import { emptyResult, type Result } from "../../spec/result.ts";
import { announceByFrames, type LinkBelow, requireFreeAddresses } from "../address-probe/address-probe.ts";
import type { Probing } from "../address-probe/timing.ts";
import type { Delegates } from "../invoke/delegates.ts";
import type { Address } from "../ip/address.ts";
import { announceAddresses } from "../link/announce.ts";
import { changeLink, deleteLink, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import type { Sandbox } from "../skel/sandbox.ts";
import type { Undo } from "../skel/undo.ts";
import { ensureSysctl, isWriteRefused, writeSysctls } from "../sysctl/sysctl.ts";
import { configureInterface } from "./configure-interface.ts";
import { interfaceResult } from "./interface-result.ts";
import { requestAddresses } from "./ipam-client.ts";

/** `assigned`: only where IPAM gives an address of it. `automatic`: as the kernel does for any interface. */
export type SixPolicy = "assigned" | "automatic";

/** What a plugin's configuration says of it. */
export interface SegmentConfig {
  /** Empty: no addresses. */
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly probing: Probing;
}

export function readSixPolicy(keys: Keys): SixPolicy {
  return keys.oneOf(
    "ipv6",
    ["assigned", "automatic"],
    "assigned",
    "with ipam: whether the interface has IPv6 only where it is given an address, or also by itself (link-local, router advertisements)",
  );
}

/**
 * Prepares a link that is down and is to have addresses of IPAM: it will announce them (ARP, RFC 5227; neighbour advertisements,
 * RFC 4861) when it comes up, and IPv6 is off until `configureInterface` puts an address of it there (CVE-2024-32473).
 * @throws CniError 5 when IPv6 cannot be switched off
 */
export function prepareSharedSegment(stack: NetworkStack, link: Link, six: SixPolicy): void {
  try {
    writeSysctls(stack.namespace, [
      [`net/ipv4/conf/${link.name}/arp_notify`, "1"],
      [`net/ipv6/conf/${link.name}/ndisc_notify`, "1"],
    ]);
  } catch (error) {
    // A read-only /proc/sys, as in a container: neighbours that know the address of old ask again a little later.
    if (!isWriteRefused(error)) throw error;
  }
  if (six === "assigned") switchSixOff(stack, link);
}

/**
 * Puts addresses and routes on the container's one interface, sets it up, and has the addresses announced: as it comes up, and once
 * more when all is done, for a frame can get lost. Where they were probed the interface is up already, and nobody looks for duplicates
 * again, which takes the kernel a second. The result, with that interface alone.
 * @throws CniError 101 when another host has an IPv6 address; KernelError
 */
export function configureOnSegment(sandbox: Sandbox, link: Link, leased: Result, probed = false): Result {
  const result = interfaceResult(sandbox, link, leased);
  configureInterface(sandbox.stack, link, result, { detectDuplicates: !probed });
  const isAnnounced = announceAddresses(sandbox.stack, link);
  // Whatever kind it is, the kernel announces what it has when it comes up; this one was up before.
  if (!isAnnounced && probed) announceByFrames(sandbox.stack, link, addressesOf(leased));
  return result;
}

function addressesOf(leased: Result): Address[] {
  return leased.ips.map((ip): Address => ip.address.address);
}

/**
 * Connects a new link that is down: with the addresses of the IPAM plugin, or without one as a layer-2 network's, whose addresses are the
 * container's own business, and so is IPv6. The link comes before its addresses, for an IPAM plugin may ask for them through it (dhcp).
 * `below` is the link's parent, whose own addresses are not given away where addresses are probed.
 * @throws CniError, KernelError as requestAddresses, requireFreeAddresses and configureOnSegment
 */
export function connectToSegment(
  delegates: Delegates,
  sandbox: Sandbox,
  link: Link,
  config: SegmentConfig,
  undo: Undo,
  below?: LinkBelow,
): Result {
  if (config.ipamType === "") return bringUpWithoutAddresses(sandbox, link);
  prepareSharedSegment(sandbox.stack, link, config.ipv6);
  const leased = requestAddresses(delegates, config.ipamType, undo);
  // Taken back before the addresses are: nobody may get one that an interface still has.
  undo.push(`remove ${link.name}`, () => {
    deleteLink(sandbox.stack, link);
  });
  requireFreeAddresses({ stack: sandbox.stack, link, below }, addressesOf(leased), config.probing);
  return configureOnSegment(sandbox, link, leased, config.probing !== "off");
}

/** A layer-2 network's interface, up; its addresses are the container's own business, and so is IPv6. */
export function bringUpWithoutAddresses(sandbox: Sandbox, link: Link): Result {
  changeLink(sandbox.stack, link, { up: true });
  return interfaceResult(sandbox, link, emptyResult);
}

function switchSixOff(stack: NetworkStack, link: Link): void {
  try {
    ensureSysctl(stack.namespace, `net/ipv6/conf/${link.name}/disable_ipv6`, "1");
  } catch (error) {
    throw new CniError(
      ErrorCode.Io,
      `Cannot switch IPv6 off on ${link.name}: ${messageOf(error)}`,
      '"ipv6": "automatic" in the configuration leaves IPv6 to the kernel',
    );
  }
}
