/** Masquerading of attachments, shared by bridge and ptp: ensured on ADD, verified on CHECK, removed on DEL and GC. */

import { drift, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig } from "../../spec/result.ts";
import { viewOf } from "../codec/view.ts";
import type { Prefix } from "../ip/prefix.ts";
import { Iptables } from "../iptables/iptables.ts";
import { isKernelError } from "../linux/errno.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { addressDatum } from "../nftables/datum.ts";
import { type Element, element } from "../nftables/element.ts";
import { findElement, firstElements, keyOf, type ListedElement, scanElements } from "../nftables/elements.ts";
import { retryOvertaken, whileOvertaken } from "../nftables/overtaken.ts";
import { generation, type ListedRule, type ListedSet, listRules, listSets, tableExists } from "../nftables/ruleset.ts";
import type { NftSet } from "../nftables/set.ts";
import { nftablesPresent } from "../nftables/support.ts";
import { Transaction } from "../nftables/transaction.ts";
import { userdataComment } from "../nftables/userdata.ts";
import { type Attachment, keyOfTag, networkTag } from "../skel/attachment.ts";
import type { Undo } from "../skel/undo.ts";
import type { ValidAttachments } from "../skel/valid-attachments.ts";
import { chosenBackend, type MasqueradeBackend } from "./backend.ts";
import { collectInIptables, ensureInIptables, removeFromIptables, verifyInIptables } from "./iptables.ts";
import { noNftables } from "./readiness.ts";
import { collectReferenceRules, hasReferenceRule, removeReferenceRules } from "./reference-rules.ts";
import { chain, multicastRules, subnetRule, subnetSet, table } from "./rules.ts";

/** Masquerades the addresses; idempotent. Taken back when ADD fails. @throws KernelError; CniError 5 when there is no backend */
export function ensureMasquerade(
  host: NetworkStack,
  configured: MasqueradeBackend | undefined,
  attachment: Attachment,
  ips: readonly IpConfig[],
  undo: Undo,
): void {
  undo.push("remove masquerading", () => removeMasquerade(host, attachment, ips));
  if (configured === "iptables") {
    ensureInIptables(host, attachment, ips);
    return;
  }
  try {
    for (const ip of ips) ensureElement(host.netfilter, attachment, ip.address, ips.length);
  } catch (error) {
    // Asked only now: nearly every kernel has it.
    if (isKernelError(error, "EPERM") || nftablesPresent(host)) throw error;
    if (configured === "nftables" || Iptables.find(4) === undefined) throw noNftables(ErrorCode.Io);
    ensureInIptables(host, attachment, ips);
  }
}

/**
 * The usual case first: set and rule are there, and only the address is added. Otherwise they are made, unless somebody else
 * does so first.
 */
function ensureElement(socket: NetlinkSocket, attachment: Attachment, address: Prefix, count: number): void {
  const set = subnetSet(attachment.network, address);
  const own = addressElement(attachment, address, count);
  retryOvertaken((): void => {
    if (!replaceElement(socket, set.name, own)) buildSubnet(socket, set, address, own);
  });
}

/** Makes what is missing of table, rules and set, and adds the element. @throws KernelError ERESTART, ENOENT when overtaken */
function buildSubnet(socket: NetlinkSocket, set: NftSet, address: Prefix, own: Element): void {
  const current = generation(socket);
  const change = new Transaction();
  const rules = listRules(socket, table, chain.name);
  if (rules.length === 0) {
    change.addTable(table, "Ferrule: what masquerades containers").addChain(table, chain);
    for (const each of multicastRules()) change.addRule(table, chain.name, each);
  }
  change.addSet(table, set);
  if (!rules.some((each) => each.comment === set.comment)) change.addRule(table, chain.name, subnetRule(set, address));
  change.addElements(table, set.name, [own]).commit(socket, current);
}

/**
 * Adds the element; false when there is no set. An address that somebody left behind is taken over, so that its comment names
 * who has it now.
 */
function replaceElement(socket: NetlinkSocket, set: string, own: Element): boolean {
  try {
    new Transaction().createElements(table, set, [own]).commit(socket);
    return true;
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return false;
    if (!isKernelError(error, "EEXIST")) throw error;
  }
  new Transaction().deleteElements(table, set, [own]).addElements(table, set, [own]).commit(socket);
  return true;
}

/** With it is kept how many addresses the attachment has in all: who removes as many has removed them all. */
function addressElement(attachment: Attachment, address: Prefix, count: number): Element {
  return element([addressDatum(address.address)], { comment: attachment.tag, own: new Uint8Array([count]) });
}

/**
 * Traffic only asks that something masquerades the address: what the reference suite has set up counts, and so does iptables.
 * @throws CniError 102 naming the address that is not masqueraded
 */
export function verifyMasquerade(
  host: NetworkStack,
  configured: MasqueradeBackend | undefined,
  attachment: Attachment,
  ips: readonly IpConfig[],
): void {
  if (chosenBackend(host, configured) === "iptables") {
    verifyInIptables(host, attachment, ips);
    return;
  }
  const rules = listRules(host.netfilter, table, chain.name);
  for (const ip of ips) {
    const set = subnetSet(attachment.network, ip.address);
    const found = findElement(host.netfilter, table, set.name, addressElement(attachment, ip.address, ips.length));
    if (found !== undefined && rules.some((each) => each.comment === set.comment)) continue;
    if (hasReferenceRule(host, attachment) || isInIptables(host, attachment, ip)) continue;
    throw drift(
      `address ${ip.address.toString()} of ${attachment.toString()} is not masqueraded: no rule in table inet ${table.name}`,
    );
  }
}

function isInIptables(host: NetworkStack, attachment: Attachment, ip: IpConfig): boolean {
  try {
    verifyInIptables(host, attachment, [ip]);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes what masquerades an attachment, in every backend and the reference's too. Absence is success. With all its addresses in
 * `ips`, as ADD's result has them, nothing is searched for: that takes as long with ten thousand others as with none.
 */
export function removeMasquerade(host: NetworkStack, attachment: Attachment, ips: readonly IpConfig[]): void {
  if (nftablesPresent(host)) {
    if (!removeKnown(host.netfilter, attachment, ips)) {
      removeWhere(host.netfilter, attachment.network, (tag) => keyOfTag(tag) === attachment.key);
    }
    removeReferenceRules(host, attachment);
  }
  removeFromIptables(host, attachment, ips);
}

/** Removes the addresses by their keys; nothing, and false, unless they are the attachment's, and all that it has. */
function removeKnown(socket: NetlinkSocket, attachment: Attachment, ips: readonly IpConfig[]): boolean {
  if (ips.length === 0) return false;
  const change = new Transaction();
  const sets: NftSet[] = [];
  for (const ip of ips) {
    const set = subnetSet(attachment.network, ip.address);
    const own = addressElement(attachment, ip.address, ips.length);
    const found = findElement(socket, table, set.name, own);
    if (found === undefined || keyOfTag(found.comment ?? "") !== attachment.key) return false;
    if (countOf(found) !== ips.length) return false;
    change.deleteElements(table, set.name, [own]);
    if (!sets.some((each) => each.name === set.name)) sets.push(set);
  }
  try {
    change.commit(socket);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return false; // somebody removes them at the same time
    throw error;
  }
  for (const set of sets) removeUnused(socket, set.name, set.comment);
  return true;
}

/** How many addresses the element's attachment has in all; 0 when that is not known. */
function countOf(listed: ListedElement): number {
  const own = listed.own ?? new Uint8Array(0);
  return own.length === 1 ? viewOf(own).getUint8(0) : 0;
}

/** Removes what masquerades attachments of the network that are not alive. */
export function collectMasquerade(host: NetworkStack, valid: ValidAttachments): void {
  if (nftablesPresent(host)) {
    removeWhere(host.netfilter, valid.network, (tag) => valid.isStale(tag));
    collectReferenceRules(host, (key) => valid.isStale(key));
  }
  collectInIptables(host, valid.network, valid.liveContainers());
}

function removeWhere(socket: NetlinkSocket, network: string, gone: (tag: string) => boolean): void {
  for (const set of networkSets(socket, network)) {
    whileOvertaken(socket, (): void => removeElements(socket, set, gone));
  }
}

/** @throws KernelError ENOENT when somebody else removed one meanwhile: nothing is removed then */
function removeElements(socket: NetlinkSocket, set: ListedSet, gone: (tag: string) => boolean): void {
  const change = new Transaction();
  let others = 0;
  const wanted = (userdata: Uint8Array): boolean => {
    if (gone(userdataComment(userdata) ?? "")) return true;
    others += 1;
    return false;
  };
  for (const found of scanElements(socket, table, set.name, wanted) ?? []) {
    change.deleteElements(table, set.name, [keyOf(found)]);
  }
  change.commit(socket);
  // Others may have left in the same moment, each seeing the other; and an interrupted call may have left the set empty.
  if (!change.isEmpty || others === 0) removeUnused(socket, set.name, set.comment);
}

function networkSets(socket: NetlinkSocket, network: string): ListedSet[] {
  const tag = networkTag(network);
  return listSets(socket, table).filter((set) => set.comment?.startsWith(`${tag} `) ?? false);
}

/** The last attachment of a subnet takes set and rule with it, and the last of all the table. */
function removeUnused(socket: NetlinkSocket, set: string, comment: string | undefined): void {
  whileOvertaken(socket, (current: number): void => {
    if ((firstElements(socket, table, set) ?? []).length > 0) return;
    const change = new Transaction();
    const sets = listSets(socket, table);
    if (sets.every((each) => each.name === set)) {
      if (tableExists(socket, table)) change.deleteTable(table);
    } else if (sets.some((each) => each.name === set)) {
      const rule = listRules(socket, table, chain.name).find((each: ListedRule) => each.comment === comment);
      if (rule !== undefined) change.deleteRule(table, chain.name, rule.handle);
      change.deleteSet(table, set);
    }
    change.commit(socket, current);
  });
}
