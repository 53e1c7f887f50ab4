/** The containers' entries in nf_tables leave: on DEL, on GC, and with the last of them the tables. */
import { Address } from "../../pkg/ip/address.ts";
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import {
  findElement,
  keyOf,
  type ListedElement,
  listElements,
  scanElements,
  someElement,
} from "../../pkg/nftables/elements.ts";
import { whileOvertaken } from "../../pkg/nftables/overtaken.ts";
import { generation, listRules, tableExists } from "../../pkg/nftables/ruleset.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { userdataComment } from "../../pkg/nftables/userdata.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import { addressKey, bridgeElement, decodeRecord, ownerKey, togetherElement } from "./entries.ts";
import { ADMIN, APART, accepted, BRIDGES, bridgeTable, families, OWNERS, TOGETHER, table } from "./rules.ts";

/** Whether an attachment is gone, by its tag. */
type IsGone = (tag: string) => boolean;

/** An address that an attachment had, and the zone of firewalld that it is in, if any. */
export interface Freed {
  readonly address: Address;
  readonly zone: string;
}

/** Removes the attachment's entries. Absence is success. @throws KernelError */
export function removeEntries(host: NetworkStack, attachment: Attachment): void {
  const socket = host.netfilter;
  const sought = ownerKey(attachment);
  removeOwners(
    socket,
    (tag: string): boolean => keyOfTag(tag) === attachment.key,
    (): ListedElement[] => {
      const owner = findElement(socket, table, sought.set, sought.element);
      return owner === undefined ? [] : [owner];
    },
  );
}

/** Removes the entries of stale attachments. @throws KernelError */
export function collectEntries(host: NetworkStack, isStale: IsGone): void {
  removeOwners(host.netfilter, isStale, (): ListedElement[] => ownersThat(host.netfilter, isStale));
}

function ownersThat(socket: NetlinkSocket, test: (tag: string) => boolean): ListedElement[] {
  return scanElements(socket, table, OWNERS, (userdata) => test(userdataComment(userdata) ?? "")) ?? [];
}

/** The addresses that stale attachments still have. @throws KernelError */
export function staleEntries(host: NetworkStack, isStale: IsGone): Freed[] {
  return addressesOf(host.netfilter, ownersThat(host.netfilter, isStale), isStale);
}

/** An address that a record says is in a zone of firewalld, and whose record. */
export interface Zoned extends Freed {
  readonly tag: string;
}

/** As the records have it: an address may be somebody else's by now, and of more than some six a record has not all. @throws KernelError */
export function zonedEntries(host: NetworkStack): Zoned[] {
  const found: Zoned[] = [];
  for (const owner of listElements(host.netfilter, table, OWNERS) ?? []) {
    const { zone, addresses } = decodeRecord(owner.own);
    if (zone !== "") for (const address of addresses) found.push({ address, zone, tag: owner.comment ?? "" });
  }
  return found;
}

/** The addresses that the attachment has now. @throws KernelError */
export function formerEntries(host: NetworkStack, attachment: Attachment): Freed[] {
  if (!nftablesPresent(host)) return [];
  const sought = ownerKey(attachment);
  const owner = findElement(host.netfilter, table, sought.set, sought.element);
  const isOwn = (tag: string): boolean => keyOfTag(tag) === attachment.key;
  return owner === undefined ? [] : addressesOf(host.netfilter, [owner], isOwn);
}

/** Who holds the address: the owner's tag; `undefined` when nobody does. */
export function holderOf(host: NetworkStack, address: Address): string | undefined {
  const key = addressKey(address);
  return findElement(host.netfilter, table, key.set, key.element)?.comment;
}

function removeOwners(socket: NetlinkSocket, isGone: IsGone, find: () => ListedElement[]): void {
  whileOvertaken(socket, (current: number): void => {
    const owners = find();
    if (owners.length === 0) return;
    const freed = addressesOf(socket, owners, isGone);
    if (othersStay(socket, isGone)) deleteEntries(socket, current, owners, freed, isGone);
    else deleteAll(socket, current, owners, freed, isGone);
  });
}

/** The addresses that are still theirs: what somebody has taken over is not. */
function addressesOf(socket: NetlinkSocket, owners: readonly ListedElement[], isGone: IsGone): Freed[] {
  const found: Freed[] = [];
  let isWhole = true;
  let zone = "";
  for (const owner of owners) {
    const record = decodeRecord(owner.own);
    if (!record.isWhole) isWhole = false;
    if (record.zone !== "") zone = record.zone;
    for (const address of record.addresses) {
      const key = addressKey(address);
      const there = findElement(socket, table, key.set, key.element);
      if (there !== undefined && isGone(there.comment ?? "")) found.push({ address, zone: record.zone });
    }
  }
  return isWhole ? found : searched(socket, isGone, zone);
}

/** All addresses of owners that are gone, element by element: a record has room for some six. */
function searched(socket: NetlinkSocket, isGone: IsGone, zone: string): Freed[] {
  const found: Freed[] = [];
  for (const family of families) {
    const theirs = (userdata: Uint8Array): boolean => isGone(userdataComment(userdata) ?? "");
    for (const each of scanElements(socket, table, accepted(family), theirs) ?? [])
      found.push({ address: new Address(each.key), zone });
  }
  return found;
}

function othersStay(socket: NetlinkSocket, isGone: IsGone): boolean {
  return someElement(socket, table, OWNERS, (owner) => !isGone(owner.comment ?? ""));
}

/** @throws KernelError ERESTART, ENOENT when overtaken: nothing is removed then */
function deleteEntries(
  socket: NetlinkSocket,
  current: number,
  owners: readonly ListedElement[],
  freed: readonly Freed[],
  isGone: IsGone,
): void {
  const change = new Transaction();
  const bridges = deletionOf(socket, change, owners, freed, isGone);
  releaseBridges(socket, change, bridges, isGone);
  // Whether a bridge's policy may go depends on everybody else.
  change.commit(socket, bridges.length > 0 ? current : undefined);
  if (!othersStay(socket, isGone)) deleteAll(socket, generation(socket), [], [], isGone); // others left in the same moment
}

/** Deletes owners, ports and addresses, and tells the bridges that had a policy for them. */
function deletionOf(
  socket: NetlinkSocket,
  change: Transaction,
  owners: readonly ListedElement[],
  freed: readonly Freed[],
  isGone: IsGone,
): string[] {
  const bridges: string[] = [];
  for (const owner of owners) {
    const { bridge, port } = decodeRecord(owner.own);
    releasePort(socket, change, port, isGone);
    if (bridge !== "" && !bridges.includes(bridge)) bridges.push(bridge);
    change.deleteElements(table, OWNERS, [keyOf(owner)]);
  }
  for (const { address } of freed) {
    const key = addressKey(address);
    change.deleteElements(table, key.set, [key.element]);
  }
  return bridges;
}

/** The last one out takes the tables along, unless the administrator has rules there. */
function deleteAll(
  socket: NetlinkSocket,
  current: number,
  owners: readonly ListedElement[],
  freed: readonly Freed[],
  isGone: IsGone,
): void {
  const change = new Transaction();
  if (listRules(socket, table, ADMIN).length === 0) {
    if (tableExists(socket, table)) change.deleteTable(table);
    if (tableExists(socket, bridgeTable)) change.deleteTable(bridgeTable);
  } else {
    releaseBridges(socket, change, deletionOf(socket, change, owners, freed, isGone), isGone);
  }
  change.commit(socket, current);
}

/** A port is not kept apart any longer, unless it is somebody else's by now. */
export function releasePort(socket: NetlinkSocket, change: Transaction, port: string, isGone: IsGone): void {
  if (port === "") return;
  const own = bridgeElement(port);
  const there = findElement(socket, bridgeTable, APART, own);
  if (there !== undefined && isGone(there.comment ?? "")) change.deleteElements(bridgeTable, APART, [own]);
}

/** Lifts the policies of bridges that nobody needs any more. The change must carry the generation of before. */
export function releaseBridges(
  socket: NetlinkSocket,
  change: Transaction,
  bridges: readonly string[],
  isGone: IsGone,
): void {
  for (const bridge of bridges) {
    const needs = (owner: ListedElement): boolean =>
      decodeRecord(owner.own).bridge === bridge && !isGone(owner.comment ?? "");
    if (someElement(socket, table, OWNERS, needs)) continue;
    const own = bridgeElement(bridge);
    if (findElement(socket, table, BRIDGES, own) !== undefined) change.deleteElements(table, BRIDGES, [own]);
    const together = togetherElement(bridge);
    if (findElement(socket, table, TOGETHER, together) !== undefined) {
      change.deleteElements(table, TOGETHER, [together]);
    }
  }
}
