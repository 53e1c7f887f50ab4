/**
 * firewall: lets a container's traffic through the host's firewall, and keeps other containers' away from it. Chained after the
 * plugin that makes the interface.
 *
 *   outside ◀─── host: what 10.1.0.2 sends, and what is answered to it ───▶ 10.1.0.2 [eth0]container
 */
import type { Address } from "../../pkg/ip/address.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import type { Environment } from "../../spec/environment.ts";
import { drift, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type FirewallConfig } from "./config.ts";
import { Firewalld, sourceText } from "./firewalld.ts";
import { ensureInIptables, removeFromIptables, verifyInIptables } from "./iptables-firewall.ts";
import { ensureInNftables, verifyInNftables } from "./nftables-firewall.ts";
import { choosePlaces, foreignDrops, type Places, placesText } from "./places.ts";
import { collectEntries, type Freed, formerEntries, holderOf, removeEntries } from "./removal.ts";
import { addressesOf, type Wanted, wantedOf } from "./wanted.ts";

export function firewall(): Plugin {
  return definePlugin({ type: "firewall", since: "0.4.0", entersSandbox: false, config, add, del, check, gc, status });
}

function add({ config, attachment, environment, host, prevResult, undo }: Add<FirewallConfig>): Result {
  const result = requirePrevResult(prevResult, "firewall");
  const wanted = wantedOf(host, config, attachment, result);
  if (wanted.addresses.length === 0 && wanted.ingress === undefined) return result;
  const places = choosePlaces(host, config, busAddress(environment), ErrorCode.Io);
  try {
    undo.push("remove the firewall's rules", () => removeAll(host, attachment, environment));
    if (places.nftables) ensureTables(host, places, inTables(config, wanted, places), environment);
    if (usesIptables(places, wanted)) ensureInIptables(host, inIptables(wanted, places), config.adminChain);
    if (places.firewalld !== undefined) {
      for (const address of wanted.addresses) places.firewalld.addSource(config.zone, address);
    }
  } finally {
    places.firewalld?.close();
  }
  return result;
}

function busAddress(environment: Environment): string {
  return environment.get("DBUS_SYSTEM_BUS_ADDRESS");
}

/** What goes into our own tables. */
function inTables(config: FirewallConfig, wanted: Wanted, { firewalld }: Places): Wanted {
  return { ...wanted, zone: firewalld === undefined ? "" : config.zone };
}

/** What goes into iptables: the ingress policy only where our own tables do not have it. */
function inIptables(wanted: Wanted, { nftables }: Places): Wanted {
  return nftables ? { ...wanted, ingress: undefined } : wanted;
}

/** iptables serves a policy beside firewalld, too, where the kernel has no nf_tables. */
function usesIptables({ iptables, nftables }: Places, { ingress }: Wanted): boolean {
  return iptables || (!nftables && ingress !== undefined);
}

/** An attachment that had other addresses or another zone before is taken out of that one. */
function ensureTables(host: NetworkStack, places: Places, wanted: Wanted, environment: Environment): void {
  const former = formerEntries(host, wanted.attachment);
  ensureInNftables(host, wanted);
  const left = former.filter(
    ({ address, zone }) => zone !== wanted.zone || !wanted.addresses.some((each) => each.equals(address)),
  );
  leaveZones(places.firewalld, left, environment);
}

/** Takes addresses out of their zones of firewalld; one that does not run has forgotten them. */
function leaveZones(running: Firewalld | undefined, freed: readonly Freed[], environment: Environment): void {
  const zoned = freed.filter(({ zone }) => zone !== "");
  if (zoned.length === 0) return;
  const firewalld = running ?? Firewalld.find(busAddress(environment));
  try {
    for (const { address, zone } of zoned) firewalld?.removeSource(zone, address);
  } finally {
    if (running === undefined) firewalld?.close();
  }
}

/** By what the kernel's objects say, wherever the rules would be now; prevResult is needed only for what the reference has made. */
function del({ config, attachment, environment, host, prevResult, teardown, warn }: Del<FirewallConfig>): void {
  const named = prevResult === undefined ? [] : addressesOf(prevResult);
  const freed: Freed[] = [];
  teardown.attempt("remove the firewall's entries", () => {
    if (!nftablesPresent(host)) return;
    for (const each of removeEntries(host, attachment)) freed.push(each);
  });
  teardown.attempt("remove the firewall's rules of iptables", () => {
    removeFromIptables(host, (key) => key === attachment.key, named);
  });
  teardown.attempt("remove the addresses from firewalld", () => {
    leaveZones(undefined, freed, environment);
    if (freed.length === 0 && named.length > 0) leaveDefaultZone(config, environment, host, named, warn);
  });
}

/** Addresses without an entry are the reference's, or of a kernel without nf_tables. */
function leaveDefaultZone(
  config: FirewallConfig,
  environment: Environment,
  host: NetworkStack,
  addresses: readonly Address[],
  warn: (line: string) => void,
): void {
  if (config.backend === "nftables" || config.backend === "iptables") return;
  const firewalld = Firewalld.find(busAddress(environment));
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

function removeAll(host: NetworkStack, attachment: Attachment, environment: Environment): void {
  const freed = nftablesPresent(host) ? removeEntries(host, attachment) : [];
  removeFromIptables(host, (key) => key === attachment.key, []);
  leaveZones(undefined, freed, environment);
}

function check({ config, attachment, environment, host, prevResult }: Check<FirewallConfig>): void {
  const result = requireCheckedResult(prevResult, "firewall");
  const wanted = wantedOf(host, config, attachment, result);
  if (wanted.addresses.length === 0 && wanted.ingress === undefined) return;
  const places = choosePlaces(host, config, busAddress(environment), ErrorCode.Io);
  try {
    if (places.firewalld !== undefined) verifyZone(places.firewalld, config.zone, wanted);
    if (usesIptables(places, wanted)) verifyInIptables(host, inIptables(wanted, places), config.adminChain);
    if (places.nftables) verifyInNftables(host, inTables(config, wanted, places));
  } finally {
    places.firewalld?.close();
  }
}

function verifyZone(firewalld: Firewalld, zone: string, { addresses, attachment }: Wanted): void {
  for (const address of addresses) {
    if (firewalld.hasSource(zone, address)) continue;
    throw drift(
      `address ${sourceText(address)} of ${attachment.toString()} is not in firewalld's zone ${zone}`,
      "a reload of firewalld forgets it: another ADD of the same container puts it there again",
    );
  }
}

function gc({ environment, host, valid, teardown }: Gc<FirewallConfig>): void {
  const freed: Freed[] = [];
  teardown.attempt("collect the firewall's entries", () => {
    if (!nftablesPresent(host)) return;
    for (const each of collectEntries(host, (tag) => valid.isStale(tag))) freed.push(each);
  });
  teardown.attempt("collect the firewall's rules of iptables", () => {
    removeFromIptables(host, (key) => valid.isStale(key), []);
  });
  teardown.attempt("remove stale addresses from firewalld", () => leaveZones(undefined, freed, environment));
}

/** Says on stderr where an ADD would put its rules, and what drops packets all the same. */
function status({ config, environment, host, warn }: Status<FirewallConfig>): void {
  const places = choosePlaces(host, config, busAddress(environment), ErrorCode.NotAvailable);
  places.firewalld?.close();
  warn(`firewall: the backend is ${placesText(places)}`);
  for (const line of foreignDrops(host, places)) warn(`firewall: ${line}`);
}
