/** The containers' addresses in firewalld's zones, by their records in nf_tables: put there, put there again, verified, taken out. */
import type { Address } from "../../pkg/ip/address.ts";
import { Interrupted } from "../../pkg/linux/termination.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import type { Environment } from "../../spec/environment.ts";
import { drift, ErrorCode, messageOf } from "../../spec/errors.ts";
import type { FirewallConfig } from "./config.ts";
import { Firewalld, sourceText } from "./firewalld.ts";
import { type Freed, holderOf, zonedEntries } from "./removal.ts";
import type { Wanted } from "./wanted.ts";

export function busAddress(environment: Environment): string {
  return environment.get("DBUS_SYSTEM_BUS_ADDRESS");
}

/** Puts the attachment's addresses into its zone, and whatever else a reload has taken from zones. @throws CniError 101, 7, 5 */
export function enterZone(
  host: NetworkStack,
  firewalld: Firewalld,
  zone: string,
  { addresses }: Wanted,
  warn: (line: string) => void,
): void {
  for (const address of addresses) firewalld.addSource(zone, address);
  restoreZones(host, firewalld, warn);
}

/**
 * Puts back what records say is in a zone and is not, for a reload of firewalld forgets it, and no runtime sends the containers that it
 * is of another ADD. What firewalld refuses is told and fails nothing. @throws KernelError, Interrupted
 */
function restoreZones(host: NetworkStack, firewalld: Firewalld, warn: (line: string) => void): void {
  if (!nftablesPresent(host)) return;
  const sources = new Map<string, string[]>();
  for (const { address, zone, tag } of zonedEntries(host)) {
    try {
      const there = sources.get(zone) ?? firewalld.sources(zone);
      sources.set(zone, there);
      if (!there.includes(sourceText(address)) && holderOf(host, address) === tag) firewalld.addSource(zone, address);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      warn(`firewall: ${sourceText(address)} is not in zone ${zone}, though ${tag} has it: ${messageOf(error)}`);
    }
  }
}

/** The same for GC, where firewalld runs and any record names a zone. @throws KernelError, Interrupted */
export function restoreAll(host: NetworkStack, environment: Environment, warn: (line: string) => void): void {
  if (!nftablesPresent(host) || zonedEntries(host).length === 0) return;
  const firewalld = Firewalld.find(busAddress(environment), ErrorCode.Io);
  if (firewalld === undefined) return;
  try {
    restoreZones(host, firewalld, warn);
  } finally {
    firewalld.close();
  }
}

/** Takes addresses out of their zones; a firewalld that does not run has forgotten them. @throws CniError 5 */
export function leaveZones(running: Firewalld | undefined, leaving: readonly Freed[], environment: Environment): void {
  const zoned = leaving.filter(({ zone }) => zone !== "");
  if (zoned.length === 0) return;
  const firewalld = running ?? Firewalld.find(busAddress(environment), ErrorCode.Io);
  try {
    for (const { address, zone } of zoned) firewalld?.removeSource(zone, address);
  } finally {
    if (running === undefined) firewalld?.close();
  }
}

/** Addresses without a record are the reference's, or of a kernel without nf_tables. @throws CniError 5 */
export function leaveDefaultZone(
  config: FirewallConfig,
  environment: Environment,
  host: NetworkStack,
  addresses: readonly Address[],
  warn: (line: string) => void,
): void {
  if (config.backend === "nftables" || config.backend === "iptables") return;
  const firewalld = Firewalld.find(busAddress(environment), ErrorCode.Io);
  if (firewalld === undefined) {
    if (config.backend === "firewalld") warn("firewall: firewalld cannot be reached: what it knew, it has forgotten");
    return;
  }
  try {
    const hasTables = nftablesPresent(host);
    for (const address of addresses) {
      const held = hasTables && holderOf(host, address) !== undefined;
      if (!held) firewalld.removeSource(config.zone, address);
    }
  } finally {
    firewalld.close();
  }
}

/** @throws CniError 102 */
export function verifyZone(firewalld: Firewalld, zone: string, { addresses, attachment }: Wanted): void {
  for (const address of addresses) {
    if (firewalld.hasSource(zone, address)) continue;
    throw drift(
      `address ${sourceText(address)} of ${attachment.toString()} is not in firewalld's zone ${zone}`,
      "a reload of firewalld forgets it: the next ADD of any container, or GC, puts it there again",
    );
  }
}
