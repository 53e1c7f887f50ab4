/** CHECK's look at filters: they are those that the configuration asks for, in that order. */
import type { Filter } from "../../pkg/netlink/filter.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { drift } from "../../spec/errors.ts";
import { type Match, sameKeys } from "./scope.ts";

/** `leadsRight` says whether a filter with the right keys does the right thing. @throws CniError 102 */
export function verifyFilters(
  link: Link,
  filters: readonly Filter[],
  matches: readonly Match[],
  leadsRight: (match: Match, filter: Filter) => boolean,
): void {
  if (!areThose(filters, matches, leadsRight)) throw drift(`the filters of ${link.name} are not as ADD left them`);
}

export function areThose(
  filters: readonly Filter[],
  matches: readonly Match[],
  leadsRight: (match: Match, filter: Filter) => boolean,
): boolean {
  if (filters.length !== matches.length) return false;
  for (const [index, match] of matches.entries()) {
    const filter = filters.at(index);
    if (filter === undefined || filter.kind !== "u32") return false;
    if (filter.priority !== match.priority || filter.protocol !== match.protocol) return false;
    if (!sameKeys(filter.keys, match.keys) || !leadsRight(match, filter)) return false;
  }
  return true;
}
