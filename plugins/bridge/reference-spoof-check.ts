/**
 * The reference suite's macspoofchk: a rule and two chains for each attachment in `bridge nat`, with the container's ID in their
 * names. Table and PREROUTING stay, as the reference leaves them.
 *
 *   chain PREROUTING { iifname "veth…" jump cni-br-iface-<cid>-<if> comment "macspoofchk-<cid>-<if>" }
 *   chain cni-br-iface-<cid>-<if> { jump cni-br-iface-<cid>-<if>-mac … }
 *   chain cni-br-iface-<cid>-<if>-mac { ether saddr … return, drop }
 */
import { isKernelError } from "../../pkg/linux/errno.ts";
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { LONGEST_NAME } from "../../pkg/nftables/chain.ts";
import { chainExists, listRules } from "../../pkg/nftables/ruleset.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";

const table: Table = { family: "bridge", name: "nat" };
const prerouting = "PREROUTING";

/** Removes the attachment's rule and chains; one question to the kernel where there are none. Absence is success. */
export function removeReferenceSpoofCheck(host: NetworkStack, attachment: Attachment): void {
  const socket = host.netfilter;
  const chain = `cni-br-iface-${attachment.containerId}-${attachment.ifName}`;
  // The reference's ADD fails with such an id: it has no chain, and the kernel refuses to be asked for one.
  if (chain.length > LONGEST_NAME || !chainExists(socket, table, chain)) return;
  const comment = `macspoofchk-${attachment.containerId}-${attachment.ifName}`;
  const change = new Transaction();
  for (const rule of listRules(socket, table, prerouting)) {
    if (rule.comment === comment) change.deleteRule(table, prerouting, rule.handle);
  }
  deleteChains(socket, change, chain);
}

/** The outer chain first: it jumps to the inner one. */
function deleteChains(socket: NetlinkSocket, change: Transaction, chain: string): void {
  change.flush(table, chain).deleteChain(table, chain);
  const inner = `${chain}-mac`;
  if (chainExists(socket, table, inner)) change.flush(table, inner).deleteChain(table, inner);
  try {
    change.commit(socket);
  } catch (error) {
    // Somebody else is removing them at the same time.
    if (!isKernelError(error, "ENOENT")) throw error;
  }
}
