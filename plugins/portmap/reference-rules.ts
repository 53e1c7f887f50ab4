/**
 * The reference suite's mappings in nf_tables: rules in `ip cni_hostport` and `ip6 cni_hostport` whose comment is the container's
 * id and nothing else, so that neither network nor interface can be told apart.
 */
import { isKernelError } from "../../pkg/linux/errno.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { listRules } from "../../pkg/nftables/ruleset.ts";
import type { Table, TableFamily } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";

const chains = ["hostports", "hostip_hostports", "masquerading"];
const families: readonly TableFamily[] = ["ip", "ip6"];

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
