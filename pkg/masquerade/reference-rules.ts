/**
 * The reference suite's masquerading in nf_tables: a rule each address in `inet cni_plugins_masquerade`, whose comment begins
 * with the same hash of network, interface and container that our tags begin with.
 */

import { isKernelError } from "../linux/errno.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { listRules } from "../nftables/ruleset.ts";
import type { Table } from "../nftables/table.ts";
import { Transaction } from "../nftables/transaction.ts";
import type { Attachment } from "../skel/attachment.ts";

const table: Table = { family: "inet", name: "cni_plugins_masquerade" };
const chain = "masq_checks";
/** The hash: two times 16 hexadecimal digits and what joins them. */
const KEY_LENGTH = 33;

/** Whether any rule is the attachment's. */
export function hasReferenceRule(host: NetworkStack, attachment: Attachment): boolean {
  return listRules(host.netfilter, table, chain).some((each) => each.comment?.startsWith(attachment.key) ?? false);
}

/** Removes the attachment's rules. Absence, of the table too, is success. */
export function removeReferenceRules(host: NetworkStack, attachment: Attachment): void {
  removeWhere(host, (key) => key === attachment.key);
}

/** Removes the rules whose attachment is stale by `isStale(key)`. */
export function collectReferenceRules(host: NetworkStack, isStale: (key: string) => boolean): void {
  removeWhere(host, isStale);
}

function removeWhere(host: NetworkStack, gone: (key: string) => boolean): void {
  const change = new Transaction();
  for (const found of listRules(host.netfilter, table, chain)) {
    if (gone(found.comment?.slice(0, KEY_LENGTH) ?? "")) change.deleteRule(table, chain, found.handle);
  }
  try {
    change.commit(host.netfilter);
  } catch (error) {
    // Somebody else removed one meanwhile: what is left is removed one pass later.
    if (isKernelError(error, "ENOENT")) removeWhere(host, gone);
    else throw error;
  }
}
