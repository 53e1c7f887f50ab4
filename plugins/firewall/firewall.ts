/**
 * firewall: lets a container's traffic through the host's firewall, and keeps other containers' away from it. Chained after the
 * plugin that makes the interface.
 *
 *   outside ◀─── host: what 10.1.0.2 sends, and what is answered to it ───▶ 10.1.0.2 [eth0]container
 */
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
import { ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type FirewallConfig } from "./config.ts";
import { ensureInIptables, removeFromIptables, verifyInIptables } from "./iptables-firewall.ts";
import { ensureInNftables, verifyInNftables } from "./nftables-firewall.ts";
import { choosePlaces, foreignDrops, type Places, placesText } from "./places.ts";
import { collectEntries, type Freed, formerEntries, removeEntries, staleEntries } from "./removal.ts";
import { addressesOf, type Wanted, wantedOf } from "./wanted.ts";
import { busAddress, enterZone, leaveDefaultZone, leaveZones, restoreAll, verifyZone } from "./zones.ts";

export function firewall(): Plugin {
  return definePlugin({ type: "firewall", since: "0.4.0", entersSandbox: false, config, add, del, check, gc, status });
}

function add({ config, attachment, environment, host, prevResult, undo, warn }: Add<FirewallConfig>): Result {
  const result = requirePrevResult(prevResult, "firewall");
  const wanted = wantedOf(host, config, attachment, result);
  if (wanted.addresses.length === 0 && wanted.ingress === undefined) return result;
  const places = choosePlaces(host, config, busAddress(environment), ErrorCode.Io);
  try {
    undo.push("remove the firewall's rules of iptables", () => {
      removeFromIptables(host, (key) => key === attachment.key, []);
    });
    undo.push("remove the firewall's entries", () => {
      leaveTables(host, attachment, formerEntries(host, attachment), environment);
    });
    if (places.nftables) ensureTables(host, places, inTables(config, wanted, places), environment);
    if (usesIptables(places, wanted)) ensureInIptables(host, inIptables(wanted, places), config.adminChain);
    if (places.firewalld !== undefined) enterZone(host, places.firewalld, config.zone, wanted, warn);
  } finally {
    places.firewalld?.close();
  }
  return result;
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

/** An attachment that had other addresses or another zone before is taken out of that one, first: its record names it no more then. */
function ensureTables(host: NetworkStack, places: Places, wanted: Wanted, environment: Environment): void {
  const left = formerEntries(host, wanted.attachment).filter(
    ({ address, zone }) => zone !== wanted.zone || !wanted.addresses.some((each) => each.equals(address)),
  );
  leaveZones(places.firewalld, left, environment);
  ensureInNftables(host, wanted);
}

/** By what the kernel's objects say, wherever the rules would be now; prevResult is needed only for what the reference has made. */
function del({ config, attachment, environment, host, prevResult, teardown, warn }: Del<FirewallConfig>): void {
  const named = prevResult === undefined ? [] : addressesOf(prevResult);
  const own: Freed[] = [];
  teardown.attempt("remove the firewall's entries", () => {
    for (const each of formerEntries(host, attachment)) own.push(each);
    leaveTables(host, attachment, own, environment);
  });
  teardown.attempt("remove the firewall's rules of iptables", () => {
    removeFromIptables(host, (key) => key === attachment.key, named);
  });
  teardown.attempt("remove the addresses from firewalld", () => {
    if (own.length === 0 && named.length > 0) leaveDefaultZone(config, environment, host, named, warn);
  });
}

/** The record goes last, for it alone tells a repeated call which zone the addresses are in. */
function leaveTables(
  host: NetworkStack,
  attachment: Attachment,
  own: readonly Freed[],
  environment: Environment,
): void {
  leaveZones(undefined, own, environment);
  if (nftablesPresent(host)) removeEntries(host, attachment);
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

function gc({ environment, host, valid, teardown, warn }: Gc<FirewallConfig>): void {
  teardown.attempt("collect the firewall's entries", () => {
    if (!nftablesPresent(host)) return;
    leaveZones(
      undefined,
      staleEntries(host, (tag) => valid.isStale(tag)),
      environment,
    );
    collectEntries(host, (tag) => valid.isStale(tag));
  });
  teardown.attempt("collect the firewall's rules of iptables", () => {
    removeFromIptables(host, (key) => valid.isStale(key), []);
  });
  teardown.attempt("put back what firewalld has forgotten", () => restoreAll(host, environment, warn));
}

/** Says on stderr where an ADD would put its rules, and what drops packets all the same. */
function status({ config, environment, host, warn }: Status<FirewallConfig>): void {
  const places = choosePlaces(host, config, busAddress(environment), ErrorCode.NotAvailable);
  places.firewalld?.close();
  warn(`firewall: the backend is ${placesText(places)}`);
  for (const line of foreignDrops(host, places)) warn(`firewall: ${line}`);
}
