/** Which iptables decides about forwarded packets on this host: what it accepts elsewhere, that one may still drop. */
import type { Family } from "../ip/address.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { listChains, listRules } from "../nftables/ruleset.ts";
import { nftablesPresent } from "../nftables/support.ts";
import { legacyTables, nftTable } from "./installed.ts";
import { Iptables, type Variant } from "./iptables.ts";
import { rulesOf } from "./rule-line.ts";

/** A variant of iptables whose filter table has a FORWARD chain with rules in it, or with a policy to drop. */
export interface ForwardFilter {
  readonly family: Family;
  readonly variant: Variant;
  /** Whether it drops what it has no rule for; also where that cannot be found out. */
  readonly dropsByPolicy: boolean;
  /** `undefined` where they are not installed. */
  readonly programs: Iptables | undefined;
}

/** The variants that filter. @throws KernelError; CniError 5 */
export function forwardFilters(host: NetworkStack, family: Family): ForwardFilter[] {
  const found: ForwardFilter[] = [];
  const nft = nftablesPresent(host) ? filterInNftables(host, family) : undefined;
  if (nft !== undefined) found.push(nft);
  const legacy = legacyTables(family).includes("filter") ? filterInLegacy(family) : undefined;
  if (legacy !== undefined) found.push(legacy);
  return found;
}

function filterInNftables(host: NetworkStack, family: Family): ForwardFilter | undefined {
  const table = nftTable(family, "filter");
  const forward = listChains(host.netfilter, table).find((chain) => chain.name === "FORWARD");
  if (forward === undefined) return undefined;
  const dropsByPolicy = forward.policy === "drop";
  if (!dropsByPolicy && listRules(host.netfilter, table, forward.name).length === 0) return undefined;
  return { family, variant: "nft", dropsByPolicy, programs: Iptables.ofVariant(family, "nft") };
}

/** Only the older iptables itself can read its tables. */
function filterInLegacy(family: Family): ForwardFilter | undefined {
  const programs = Iptables.ofVariant(family, "legacy");
  if (programs === undefined) return { family, variant: "legacy", dropsByPolicy: true, programs };
  const saved: string[] = programs.read("filter");
  const dropsByPolicy = saved.some((line) => line.startsWith(":FORWARD DROP"));
  if (!dropsByPolicy && rulesOf(saved, "FORWARD").length === 0) return undefined;
  return { family, variant: "legacy", dropsByPolicy, programs };
}
