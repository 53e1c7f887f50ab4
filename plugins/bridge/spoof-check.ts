/**
 * macspoofchk: a port whose frames must carry the container's hardware address.
 *
 *   table bridge ferrule_spoofcheck {
 *     set ports { type ifname; }             set senders { type ifname . ether_addr; }
 *     chain prerouting { type filter hook prerouting priority -300; policy accept;
 *       iifname @ports iifname . ether saddr != @senders drop
 *     }
 *   }
 */
import { parseMac } from "../../pkg/ip/mac.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { baseChain } from "../../pkg/nftables/chain.ts";
import { etherDatum, etherType, interfaceDatum, interfaceType } from "../../pkg/nftables/datum.ts";
import { element } from "../../pkg/nftables/element.ts";
import { findElement, firstElements, scanElements } from "../../pkg/nftables/elements.ts";
import { inSet, notInSet } from "../../pkg/nftables/match.ts";
import { whileOvertaken } from "../../pkg/nftables/overtaken.ts";
import { rule } from "../../pkg/nftables/rule.ts";
import { listRules } from "../../pkg/nftables/ruleset.ts";
import { etherSource, inputInterface } from "../../pkg/nftables/selector.ts";
import { setOf } from "../../pkg/nftables/set.ts";
import { drop } from "../../pkg/nftables/statement.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { userdataComment } from "../../pkg/nftables/userdata.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { drift } from "../../spec/errors.ts";
import { removeReferenceSpoofCheck } from "./reference-spoof-check.ts";

const table: Table = { family: "bridge", name: "ferrule_spoofcheck" };
const chain = baseChain("prerouting", { type: "filter", hook: "prerouting", priority: -300, policy: "accept" });
const ports = setOf("ports", [interfaceType]);
const senders = setOf("senders", [interfaceType, etherType]);

/** Lets the port send with this hardware address only. Idempotent; taken back when ADD fails. */
export function forbidSpoofing(
  host: NetworkStack,
  attachment: Attachment,
  port: string,
  mac: string,
  undo: Undo,
): void {
  // What a killed ADD left would let the port send with that one's address too.
  if (findElement(host.netfilter, table, ports.name, element([interfaceDatum(port)])) !== undefined) {
    allowSpoofing(host, attachment);
  }
  undo.push("remove the spoof check", () => allowSpoofing(host, attachment));
  const notes = { comment: attachment.tag };
  const name = interfaceDatum(port);
  const sender = etherDatum(parseMac(mac) ?? new Uint8Array(6));
  whileOvertaken(host.netfilter, (current: number): void => {
    const change = new Transaction();
    if (listRules(host.netfilter, table, chain.name).length === 0) {
      change.addTable(table, "Ferrule: which hardware address a port may send with").addChain(table, chain);
      change.addSet(table, ports).addSet(table, senders).addRule(table, chain.name, dropSpoofed());
    }
    change
      .addElements(table, ports.name, [element([name], notes)])
      .addElements(table, senders.name, [element([name, sender], notes)])
      .commit(host.netfilter, current);
  });
}

function dropSpoofed(): ReturnType<typeof rule> {
  return rule([inSet([inputInterface], ports.name), notInSet([inputInterface, etherSource], senders.name), drop()]);
}

/** Removes what belongs to an attachment, whichever suite made it; with the last one the table goes. Absence is success. */
export function allowSpoofing(host: NetworkStack, attachment: Attachment): void {
  if (!nftablesPresent(host)) return;
  removeWhere(host, (tag) => keyOfTag(tag) === attachment.key);
  removeReferenceSpoofCheck(host, attachment);
}

/** Removes what belongs to attachments that are stale by `isStale(tag)`. */
export function collectSpoofChecks(host: NetworkStack, isStale: (tag: string) => boolean): void {
  if (nftablesPresent(host)) removeWhere(host, isStale);
}

function removeWhere(host: NetworkStack, gone: (tag: string) => boolean): void {
  const wanted = (userdata: Uint8Array): boolean => gone(userdataComment(userdata) ?? "");
  whileOvertaken(host.netfilter, (current: number): void => {
    const change = new Transaction();
    for (const set of [ports.name, senders.name]) {
      const found = scanElements(host.netfilter, table, set, wanted);
      if (found === undefined) return;
      for (const each of found) change.deleteElements(table, set, [element([{ text: "", bytes: each.key }])]);
    }
    change.commit(host.netfilter, current);
    if (!change.isEmpty) removeUnused(host);
  });
}

function removeUnused(host: NetworkStack): void {
  whileOvertaken(host.netfilter, (current: number): void => {
    const left = firstElements(host.netfilter, table, ports.name);
    if (left === undefined || left.length > 0) return;
    new Transaction().deleteTable(table).commit(host.netfilter, current);
  });
}

/** @throws CniError 102 when the port may send with any address */
export function verifySpoofCheck(host: NetworkStack, attachment: Attachment): void {
  const wanted = (userdata: Uint8Array): boolean => keyOfTag(userdataComment(userdata) ?? "") === attachment.key;
  const found = scanElements(host.netfilter, table, senders.name, wanted) ?? [];
  if (found.length > 0 && listRules(host.netfilter, table, chain.name).length > 0) return;
  throw drift(
    `macspoofchk of ${attachment.toString()} is not in force: table bridge ${table.name} lacks its rule or element`,
  );
}
