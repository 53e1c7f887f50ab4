/**
 * The reference suite's mappings in nf_tables: rules in `ip cni_hostport` and `ip6 cni_hostport` whose comment is the container's
 * id and nothing else, so that neither network nor interface can be told apart.
 */
import { chainIsThere } from "../../pkg/iptables/installed.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { listRules, tableExists } from "../../pkg/nftables/ruleset.ts";
import type { Table, TableFamily } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";

/** The chain of iptables that every mapping is reached by. */
const DNAT = "CNI-HOSTPORT-DNAT";
const chains = ["hostports", "hostip_hostports", "masquerading"];
const families: readonly TableFamily[] = ["ip", "ip6"];

/** Whether the reference, or our backend that makes its rules, has ever mapped IPv4 ports here: what it makes stays. */
export function referenceIsInUse(host: NetworkStack): boolean {
  if (tableExists(host.netfilter, { family: "ip", name: "cni_hostport" })) return true;
  return chainIsThere(host, 4, "nat", DNAT);
}

/** Removes the container's rules. Absence, of the tables too, is success. */
export function removeReferenceRules(host: NetworkStack, containerId: string): void {
  const change = new Transaction();
  for (const family of families) {
    const table: Table = { family, name: "cni_hostport" };
    for (const chain of chains) {
      for (const rule of listRules(host.netfilter, table, chain)) {
        if (rule.comment === containerId) change.deleteRule(table, chain, rule.handle);
      }
    }
  }
  try {
    change.commit(host.netfilter);
  } catch (error) {
    // Somebody else removed one meanwhile: what is left is removed one pass later.
    if (isKernelError(error, "ENOENT")) removeReferenceRules(host, containerId);
    else throw error;
  }
}
