/**
 * Chains that are built once and stay while elements of sets and maps come and go. Used by the plugins whose tables have owners: a
 * change costs the same with none and with ten thousand others there.
 */
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { Chain } from "./chain.ts";
import type { Rule } from "./rule.ts";
import { listRules } from "./ruleset.ts";
import type { Table } from "./table.ts";
import type { Transaction } from "./transaction.ts";

/** A chain with the rules that never change; one with none is filled by others, rule by rule. */
export interface StandingChain {
  readonly chain: Chain;
  readonly rules: readonly Rule[];
}

/** Declares the chains, which changes nothing where they are, and fills those that have lost rules. @throws KernelError */
export function buildChains(
  socket: NetlinkSocket,
  change: Transaction,
  table: Table,
  chains: readonly StandingChain[],
): void {
  for (const { chain } of chains) change.addChain(table, chain);
  for (const { chain, rules } of chains) {
    if (rules.length === 0 || listRules(socket, table, chain.name).length === rules.length) continue;
    change.flush(table, chain.name);
    for (const rule of rules) change.addRule(table, chain.name, rule);
  }
}

/** One of the chains that is not there, or that somebody has flushed: its name. @throws KernelError */
export function lostChain(socket: NetlinkSocket, table: Table, chains: readonly StandingChain[]): string | undefined {
  return chains.find(({ chain, rules }) => listRules(socket, table, chain.name).length < rules.length)?.chain.name;
}
