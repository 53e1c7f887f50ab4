/** What iptables has in the kernel, asked without running a program: DEL and GC cost nothing where nothing is. */
import { readFileSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Family } from "../ip/address.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { chainExists } from "../nftables/ruleset.ts";
import { nftablesPresent } from "../nftables/support.ts";
import type { Table } from "../nftables/table.ts";
import { Iptables } from "./iptables.ts";
import { chainDeletion, hasChain } from "./rule-line.ts";

/** The table that iptables of the nft variant keeps its rules in. */
export function nftTable(family: Family, table: string): Table {
  return { family: family === 4 ? "ip" : "ip6", name: table };
}

/** Every iptables whose table has the chain. Programs run only where the older variant's table is in use. */
export function iptablesWithChain(host: NetworkStack, family: Family, table: string, chain: string): Iptables[] {
  const found: Iptables[] = [];
  if (nftablesPresent(host) && chainExists(host.netfilter, nftTable(family, table), chain)) {
    found.push(Iptables.ofVariant(family, "nft") ?? Iptables.require(family));
  }
  if (legacyTables(family).includes(table)) {
    const legacy = Iptables.ofVariant(family, "legacy");
    if (legacy !== undefined && hasChain(legacy.read(table), chain)) found.push(legacy);
  }
  return found;
}

/** The tables that the older variant has loaded in this namespace. */
export function legacyTables(family: Family): string[] {
  try {
    return readFileSync(family === 4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names", "utf8").split("\n");
  } catch (_) {
    return []; // a kernel without it
  }
}

/**
 * Removes the chain, its rules and every jump to it, wherever it is; `seen` gets the table's lines before. Absence is success.
 * @throws CniError 5, also when iptables said that all went well and the chain is still there
 */
export function removeChain(
  host: NetworkStack,
  family: Family,
  table: string,
  chain: string,
  seen: (saved: readonly string[]) => void = (_saved: readonly string[]): void => {},
): void {
  const installed = iptablesWithChain(host, family, table, chain);
  for (const iptables of installed) {
    iptables.change(table, (saved) => {
      seen(saved);
      return chainDeletion(saved, chain);
    });
  }
  if (installed.length === 0 || iptablesWithChain(host, family, table, chain).length === 0) return;
  throw new CniError(
    ErrorCode.Io,
    `Cannot remove chain ${chain} of table ${table}: iptables changed nothing and reported no failure`,
    "the call can be repeated; see what iptables-save prints",
  );
}
