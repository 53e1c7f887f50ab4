/** The containers' rules in iptables: ensured on ADD, verified on CHECK, removed on DEL and GC. The rules: iptables-rules.ts. */
import { sameBytes } from "../../pkg/codec/view.ts";
import type { Address, Family } from "../../pkg/ip/address.ts";
import { alone } from "../../pkg/iptables/alone.ts";
import { forwardFilters } from "../../pkg/iptables/forward-policy.ts";
import { iptablesWithChain, type RuleContent } from "../../pkg/iptables/installed.ts";
import { Iptables } from "../../pkg/iptables/iptables.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { keyOfTag } from "../../pkg/skel/attachment.ts";
import { drift } from "../../spec/errors.ts";
import { CLAIMS, FORWARD, installation, missing, removal } from "./iptables-rules.ts";
import type { Wanted } from "./wanted.ts";

const families: readonly Family[] = [4, 6];
const TABLE = "filter";

/** Each family's part, where it has any. */
function partOf(wanted: Wanted, family: Family): Wanted | undefined {
  const addresses = wanted.addresses.filter((each) => each.family === family);
  return addresses.length === 0 ? undefined : { ...wanted, addresses };
}

/** Where rules must be: in what `iptables` is on this host, and in the other variant where that one filters. @throws CniError 5 */
function places(host: NetworkStack, family: Family): Iptables[] {
  const usual = Iptables.find(family);
  const found: Iptables[] = usual === undefined ? [] : [usual];
  for (const { variant, programs } of forwardFilters(host, family)) {
    if (variant !== usual?.variant && programs !== undefined) found.push(programs);
  }
  return found.length > 0 ? found : [Iptables.require(family)];
}

/** One iptables and what must be in it. */
interface Work {
  readonly iptables: Iptables;
  readonly part: Wanted;
}

/** Makes the attachment's rules; idempotent. @throws CniError 5, also when iptables is missing */
export function ensureInIptables(host: NetworkStack, wanted: Wanted, adminChain: string): void {
  // All is found out before anything is changed: what a first ADD makes for everybody is not taken back.
  const work: Work[] = [];
  for (const family of families) {
    const part = partOf(wanted, family);
    if (part === undefined) continue;
    for (const iptables of places(host, family)) work.push({ iptables, part });
  }
  for (const { iptables, part } of work) {
    alone(() => iptables.change(TABLE, (saved) => installation(saved, part, adminChain)));
  }
}

/** @throws CniError 102 naming what is missing */
export function verifyInIptables(host: NetworkStack, wanted: Wanted, adminChain: string): void {
  for (const family of families) {
    const part = partOf(wanted, family);
    if (part === undefined) continue;
    for (const iptables of places(host, family)) {
      const problems = missing(iptables.read(TABLE), part, adminChain);
      if (problems.length > 0) throw drift(`iptables' table filter (IPv${family}): ${problems.join("; ")}`);
    }
  }
}

/**
 * Removes what the attachments that are gone have, and rules of `addresses` that nobody claims. Nothing runs where no rules of
 * this plugin are; absence is success. @throws CniError 5
 */
export function removeFromIptables(
  host: NetworkStack,
  isGone: (key: string) => boolean,
  addresses: readonly Address[],
): void {
  const found: Iptables[] = [];
  for (const family of families) {
    // The reference's rules say nothing but the address.
    const named = addresses.filter((each) => each.family === family);
    const isNamed = ({ bytes }: RuleContent): boolean => named.some((each) => contains(bytes, each.bytes));
    const isClaimed = ({ words }: RuleContent): boolean => keysIn(words).some((key) => isGone(key));
    for (const iptables of iptablesWithChain(host, family, TABLE, FORWARD, isNamed)) found.push(iptables);
    for (const iptables of iptablesWithChain(host, family, TABLE, CLAIMS, isClaimed)) {
      if (!found.some((each) => each.family === family && each.variant === iptables.variant)) found.push(iptables);
    }
  }
  for (const iptables of found) {
    const own = addresses.filter((each) => each.family === iptables.family);
    alone(() => iptables.change(TABLE, (saved) => removal(saved, isGone, own)));
  }
}

function contains(bytes: Uint8Array, sought: Uint8Array): boolean {
  for (let at = 0; at + sought.length <= bytes.length; at++) {
    if (sameBytes(bytes.subarray(at, at + sought.length), sought)) return true;
  }
  return false;
}

/** The keys of attachments that are named there. */
function keysIn(words: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const key = keyOfTag(words.slice(at));
    if (key !== undefined) found.push(key);
  }
  return found;
}
