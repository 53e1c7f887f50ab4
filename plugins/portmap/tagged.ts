/** What the table holds, by the owners' tags. Used by mappings.ts and removal.ts. */
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Placed } from "../../pkg/nftables/element.ts";
import { findElement, type ListedElement, scanElements } from "../../pkg/nftables/elements.ts";
import { listRules, listSets } from "../../pkg/nftables/ruleset.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import { userdataComment } from "../../pkg/nftables/userdata.ts";
import { localnetElement } from "./elements.ts";
import { conditionalChain } from "./rules.ts";
import { LOCALNET, table } from "./sets.ts";

/** An element of some set or map, as the kernel has it. */
export interface Tagged {
  readonly set: string;
  readonly listed: ListedElement;
}

/** The elements whose owners are wanted, in all sets. */
export function taggedElements(socket: NetlinkSocket, wanted: (tag: string) => boolean): Tagged[] {
  const found: Tagged[] = [];
  for (const { name } of listSets(socket, table)) {
    const ours = (userdata: Uint8Array): boolean => wanted(userdataComment(userdata) ?? "");
    for (const listed of scanElements(socket, table, name, ours) ?? []) found.push({ set: name, listed });
  }
  return found;
}

/** The rules with conditions whose owners are wanted, by their handles. */
export function conditionalHandles(socket: NetlinkSocket, wanted: (tag: string) => boolean): number[] {
  const handles: number[] = [];
  for (const rule of listRules(socket, table, conditionalChain)) {
    if (wanted(rule.comment ?? "")) handles.push(rule.handle);
  }
  return handles;
}

/** Whether the table remembers that the interface's route_localnet is on because of us, whoever's interface it is. */
export function isRemembered(host: NetworkStack, name: string): boolean {
  if (!nftablesPresent(host)) return false;
  return findElement(host.netfilter, table, LOCALNET, localnetElement(name).element) !== undefined;
}

/**
 * The owner's elements among those it should have, by their keys, which takes as long with ten thousand others as with none;
 * `undefined` when that is not all it has, so that its tags must be searched for.
 */
export function expectedElements(
  socket: NetlinkSocket,
  expected: readonly Placed[],
  count: number,
  own: (tag: string) => boolean,
): Tagged[] | undefined {
  const found: Tagged[] = [];
  if (expected.length !== count) return undefined;
  for (const { set, element } of expected) {
    const listed = findElement(socket, table, set, element);
    if (listed === undefined || !own(listed.comment ?? "")) return undefined;
    found.push({ set, listed });
  }
  return found;
}
