/** Which iptables decides about forwarded packets on this host: what it accepts elsewhere, that one may still drop. */
import type { Family } from "../ip/address.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { listChains, listRules } from "../nftables/ruleset.ts";
import { nftablesPresent } from "../nftables/support.ts";
import { legacyTables, nftTable } from "./installed.ts";
import { Iptables, type Variant } from "./iptables.ts";
import { rulesOf } from "./rule-line.ts";

/** The variants whose filter table has a FORWARD chain with rules in it, or with a policy to drop. */
export function filteringVariants(host: NetworkStack, family: Family): Variant[] {
  const found: Variant[] = [];
  if (nftablesPresent(host) && filtersInNftables(host, family)) found.push("nft");
  if (legacyTables(family).includes("filter") && filtersInLegacy(family)) found.push("legacy");
  return found;
}

function filtersInNftables(host: NetworkStack, family: Family): boolean {
  const table = nftTable(family, "filter");
  const forward = listChains(host.netfilter, table).find((chain) => chain.name === "FORWARD");
  if (forward === undefined) return false;
  return forward.policy === "drop" || listRules(host.netfilter, table, forward.name).length > 0;
}

/** Only the older iptables itself can read its tables; where it is missing, they count as filtering. */
function filtersInLegacy(family: Family): boolean {
  const legacy = Iptables.ofVariant(family, "legacy");
  if (legacy === undefined) return true;
  const saved: string[] = legacy.read("filter");
  return saved.some((line) => line.startsWith(":FORWARD DROP")) || rulesOf(saved, "FORWARD").length > 0;
}
