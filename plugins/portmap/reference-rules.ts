/**
 * The reference suite's mappings in nf_tables: rules in `ip cni_hostport` and `ip6 cni_hostport` whose comment is the container's
 * id and nothing else, so that networks and interfaces are told apart by the addresses alone.
 */
import { Address } from "../../pkg/ip/address.ts";
import { chainIsThere } from "../../pkg/iptables/installed.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { ruleValues } from "../../pkg/nftables/rule-values.ts";
import { type ListedRule, listRules, tableExists } from "../../pkg/nftables/ruleset.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import type { Table, TableFamily } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { DNAT } from "./iptables-rules.ts";
import { type Mapped, mappingOfRule, mappingText } from "./mapped.ts";

const chains = ["hostports", "hostip_hostports", "masquerading"];
const families: readonly TableFamily[] = ["ip", "ip6"];

/** Whether the reference, or our backend that makes its rules, has ever mapped IPv4 ports here: what it makes stays. */
export function referenceIsInUse(host: NetworkStack): boolean {
  if (nftablesPresent(host) && tableExists(host.netfilter, { family: "ip", name: "cni_hostport" })) return true;
  return chainIsThere(host, 4, "nat", DNAT);
}

/** A mapping, and whose it is. */
export interface ReferenceMapping {
  readonly mapped: Mapped;
  readonly containerId: string;
}

/** All of its mappings; those with conditions are not told. */
export function referenceMappings(host: NetworkStack): ReferenceMapping[] {
  const found: ReferenceMapping[] = [];
  if (!nftablesPresent(host)) return found;
  for (const family of families) {
    const table: Table = { family, name: "cni_hostport" };
    for (const chain of ["hostports", "hostip_hostports"]) {
      for (const rule of listRules(host.netfilter, table, chain)) {
        const mapped = mappingOfRule(ruleValues(rule));
        if (mapped !== undefined) found.push({ mapped, containerId: rule.comment ?? "" });
      }
    }
  }
  return found;
}

/** Whether the container's rules map all of these. */
export function isMappedByReference(host: NetworkStack, containerId: string, mappings: readonly Mapped[]): boolean {
  const own = referenceMappings(host).filter((each) => each.containerId === containerId);
  const present = own.map((each: ReferenceMapping): string => mappingText(each.mapped));
  return mappings.every((each) => present.includes(mappingText(each)));
}

/**
 * Removes the container's rules: those of these addresses, where they are known, for it may have mappings on other networks, too.
 * Absence, of the tables as well, is success.
 */
export function removeReferenceRules(host: NetworkStack, containerId: string, addresses?: readonly Address[]): void {
  const change = new Transaction();
  for (const family of families) {
    const table: Table = { family, name: "cni_hostport" };
    for (const chain of chains) {
      for (const rule of listRules(host.netfilter, table, chain)) {
        if (rule.comment === containerId && (addresses === undefined || isAbout(rule, addresses)))
          change.deleteRule(table, chain, rule.handle);
      }
    }
  }
  try {
    change.commit(host.netfilter);
  } catch (error) {
    // Somebody else removed one meanwhile: what is left is removed one pass later.
    if (isKernelError(error, "ENOENT")) removeReferenceRules(host, containerId, addresses);
    else throw error;
  }
}

/** Mappings lead to an address, and masquerading compares with it. */
function isAbout(rule: ListedRule, addresses: readonly Address[]): boolean {
  const { compared, loaded } = ruleValues(rule);
  return [...compared, ...loaded].some((bytes) =>
    addresses.some((address) => address.bytes.length === bytes.length && address.equals(new Address(bytes))),
  );
}
