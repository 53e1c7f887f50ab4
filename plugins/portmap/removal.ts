/** Port mappings in nf_tables leave: on DEL, on GC, and with the last of them the table. */
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Placed } from "../../pkg/nftables/element.ts";
import { findElement, firstElements, keyOf, listElements, someElement } from "../../pkg/nftables/elements.ts";
import { retryOvertaken } from "../../pkg/nftables/overtaken.ts";
import { generation, listRules, tableExists } from "../../pkg/nftables/ruleset.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import { ownerKey, ownerNote } from "./elements.ts";
import { interfacesHeld } from "./held-elsewhere.ts";
import { keepLocalhostIn, letLocalhostOut } from "./localhost.ts";
import { decodeMapped, type Mapped } from "./mapped.ts";
import { conditionalChain, neighboursChain } from "./rules.ts";
import { holdsPorts, isNeighbourSet, LOCALNET, OWNERS, table } from "./sets.ts";
import { conditionalHandles, expectedElements, type Tagged, taggedElements } from "./tagged.ts";

/**
 * Removes the attachment's mappings and tells what they were. Absence is success. `expected` are the elements that the request
 * speaks of; if the attachment has others, all are searched for.
 */
export function removeMappings(host: NetworkStack, attachment: Attachment, expected: readonly Placed[]): Mapped[] {
  const socket = host.netfilter;
  const own = (tag: string): boolean => keyOfTag(tag) === attachment.key;
  const sought = ownerKey(attachment.key);
  const owner = findElement(socket, table, sought.set, sought.element);
  if (owner === undefined) return [];
  const count = ownerNote(owner.own).count;
  return removeOwners(
    host,
    own,
    (): Tagged[] => expectedElements(socket, expected, count, own) ?? taggedElements(socket, own),
  );
}

/** Removes the mappings whose owners are stale, and tells what they were. */
export function collectMappings(host: NetworkStack, isStale: (tag: string) => boolean): Mapped[] {
  const owners = listElements(host.netfilter, table, OWNERS) ?? [];
  if (!owners.some((owner) => isStale(owner.comment ?? ""))) return [];
  return removeOwners(host, isStale, (): Tagged[] => taggedElements(host.netfilter, isStale));
}

function removeOwners(host: NetworkStack, gone: (tag: string) => boolean, find: () => Tagged[]): Mapped[] {
  return retryOvertaken((): Mapped[] => {
    const found = find();
    if (!deleteTableIfUnused(host, gone)) {
      deleteTagged(host, found, gone);
      deleteTableIfUnused(host, gone); // others may have left in the same moment
    }
    return mappedOf(found);
  });
}

/** The last one out takes the table along; false when there are other owners. @throws KernelError ERESTART when overtaken */
function deleteTableIfUnused(host: NetworkStack, gone: (tag: string) => boolean): boolean {
  const socket = host.netfilter;
  const current = generation(socket);
  if (someElement(socket, table, OWNERS, (owner) => !gone(owner.comment ?? ""))) return false;
  if (!tableExists(socket, table)) return true;
  const names = interfacesToClose(host);
  // The table guards and remembers these interfaces: it goes last, or an interrupted DEL would leave them open and unknown.
  for (const name of names) keepLocalhostIn(host, name);
  try {
    new Transaction().deleteTable(table).commit(socket, current);
  } catch (error) {
    for (const name of names) letLocalhostOut(host, name); // an ADD came in between
    throw error;
  }
  return true;
}

/** Those that our table opened, but for the ones by which containers are reached that others have mapped. */
function interfacesToClose(host: NetworkStack): string[] {
  const names: string[] = [];
  for (const each of listElements(host.netfilter, table, LOCALNET) ?? []) names.push(interfaceName(each.key));
  if (names.length === 0) return names;
  const needed = interfacesHeld(host);
  return names.filter((name) => !needed.includes(name));
}

function interfaceName(key: Uint8Array): string {
  return new TextDecoder().decode(key).split("\0").at(0) ?? "";
}

/** @throws KernelError ENOENT when somebody else removed one meanwhile: nothing is removed then */
function deleteTagged(host: NetworkStack, found: readonly Tagged[], gone: (tag: string) => boolean): void {
  const socket = host.netfilter;
  for (const { set, listed } of found) if (set === LOCALNET) keepLocalhostIn(host, interfaceName(listed.key));
  const change = new Transaction();
  for (const { set, listed } of found) change.deleteElements(table, set, [keyOf(listed)]);
  for (const handle of conditionalHandles(socket, gone)) change.deleteRule(table, conditionalChain, handle);
  change.commit(socket);
  const sets: string[] = [];
  for (const { set } of found) if (isNeighbourSet(set) && !sets.includes(set)) sets.push(set);
  for (const set of sets) deleteNeighbourSetIfUnused(socket, set);
}

function deleteNeighbourSetIfUnused(socket: NetlinkSocket, set: string): void {
  const current = generation(socket);
  const rest = firstElements(socket, table, set);
  if (rest === undefined || rest.length > 0) return;
  const change = new Transaction();
  for (const rule of listRules(socket, table, neighboursChain)) {
    if (rule.comment === set) change.deleteRule(table, neighboursChain, rule.handle);
  }
  change.deleteSet(table, set).commit(socket, current);
}

function mappedOf(found: readonly Tagged[]): Mapped[] {
  const mapped: Mapped[] = [];
  for (const { set, listed } of found) {
    if (!holdsPorts(set)) continue;
    const each = decodeMapped(listed.key, listed.data ?? new Uint8Array(0));
    if (each !== undefined) mapped.push(each);
  }
  return mapped;
}
