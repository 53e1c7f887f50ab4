/** Which packets are limited, as filters' keys: by the address at the other end, of either family. Pure but for the keys' type. */
import { viewOf } from "../../pkg/codec/view.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import type { FilterKey } from "../../pkg/netlink/filter.ts";
import { ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 } from "../../pkg/netlink/headers/if-ether.ts";
import type { Scope } from "./config.ts";

/** Packets that have some keys in common, and whether they are limited. */
export interface Match {
  /** Lower is asked first; one of them serves one protocol. */
  readonly priority: number;
  readonly protocol: number;
  readonly keys: readonly FilterKey[];
  readonly limited: boolean;
}

/** Where the other end's address stands: in what the container receives it is the source. */
export type OtherEnd = "source" | "destination";

/** Offsets in the headers: RFC 791 section 3.1, RFC 8200 section 3. */
const offsets = { source4: 12, destination4: 16, source6: 8, destination6: 24 } as const;
const priorities = { four: 1, six: 2, rest: 3 } as const;

/** Whether some traffic is not limited. */
export function isPartial(scope: Scope): boolean {
  return scope.shaped.length > 0 || scope.unshaped.length > 0;
}

/** What to ask of each packet, in this order; what nothing matches is not limited. */
export function matchesOf(scope: Scope, otherEnd: OtherEnd): Match[] {
  if (!isPartial(scope)) return [{ priority: 1, protocol: ETH_P_ALL, keys: [], limited: true }];
  const limited = scope.shaped.length > 0;
  const matches: Match[] = [];
  for (const prefix of limited ? scope.shaped : scope.unshaped) matches.push(matchOf(prefix, otherEnd, limited));
  matches.sort((a: Match, b: Match): number => a.priority - b.priority);
  if (!limited) matches.push({ priority: priorities.rest, protocol: ETH_P_ALL, keys: [], limited: true });
  return matches;
}

function matchOf(prefix: Prefix, otherEnd: OtherEnd, limited: boolean): Match {
  const isFour = prefix.family === 4;
  const four = otherEnd === "source" ? offsets.source4 : offsets.destination4;
  const six = otherEnd === "source" ? offsets.source6 : offsets.destination6;
  return {
    priority: isFour ? priorities.four : priorities.six,
    protocol: isFour ? ETH_P_IP : ETH_P_IPV6,
    keys: keysOf(prefix, isFour ? four : six),
    limited,
  };
}

/** Four bytes each, as far as the prefix reaches. */
function keysOf(prefix: Prefix, offset: number): FilterKey[] {
  const address = viewOf(prefix.network.bytes);
  const mask = viewOf(prefix.mask.bytes);
  const keys: FilterKey[] = [];
  for (let at = 0; at < address.byteLength && at * 8 < prefix.length; at += 4) {
    keys.push({ offset: offset + at, value: address.getUint32(at, false), mask: mask.getUint32(at, false) });
  }
  return keys;
}

export function sameKeys(a: readonly FilterKey[], b: readonly FilterKey[]): boolean {
  if (a.length !== b.length) return false;
  for (const [index, key] of a.entries()) {
    const other = b.at(index);
    if (other === undefined) return false;
    if (key.offset !== other.offset || key.value !== other.value || key.mask !== other.mask) return false;
  }
  return true;
}
