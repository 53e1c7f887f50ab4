/** What iptables has in the kernel, asked without running a program: DEL and GC cost nothing where nothing is. */
import { readFileSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Family } from "../ip/address.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { chainExists, listRules } from "../nftables/ruleset.ts";
import { nftablesPresent } from "../nftables/support.ts";
import type { Table } from "../nftables/table.ts";
import { Iptables } from "./iptables.ts";
import { chainDeletion, hasChain } from "./rule-line.ts";

/** The table that iptables of the nft variant keeps its rules in. */
export function nftTable(family: Family, table: string): Table {
  return { family: family === 4 ? "ip" : "ip6", name: table };
}

/** What a rule of the nft variant holds besides numbers: `words` has its comment, `bytes` what it compares with, among others. */
export interface RuleContent {
  readonly words: string;
  readonly bytes: Uint8Array;
}

/**
 * Every iptables whose table has the chain. Programs run only where the older variant's table is in use. Where the nft variant's rules
 * outlived its programs, `concerns` is asked of each rule of the chain, and only one that does makes it an error.
 * @throws CniError 5 that says what to install
 */
export function iptablesWithChain(
  host: NetworkStack,
  family: Family,
  table: string,
  chain: string,
  concerns: (rule: RuleContent) => boolean,
): Iptables[] {
  const found: Iptables[] = [];
  if (nftablesPresent(host) && chainExists(host.netfilter, nftTable(family, table), chain)) {
    const nft = Iptables.ofVariant(family, "nft");
    if (nft !== undefined) found.push(nft);
    else if (contentsOf(host, family, table, chain).some((rule) => concerns(rule)))
      throw rulesWithoutPrograms(family, chain);
  }
  if (legacyTables(family).includes(table)) {
    const legacy = Iptables.ofVariant(family, "legacy");
    if (legacy !== undefined && hasChain(legacy.read(table), chain)) found.push(legacy);
  }
  return found;
}

function contentsOf(host: NetworkStack, family: Family, table: string, chain: string): RuleContent[] {
  const contents: RuleContent[] = [];
  for (const { comment, expressions } of listRules(host.netfilter, nftTable(family, table), chain)) {
    // A comment is of the kernel's userdata, or of a match, as iptables' version has it.
    const words = `${comment ?? ""} ${new TextDecoder().decode(expressions)}`;
    contents.push({ words, bytes: expressions });
  }
  return contents;
}

function rulesWithoutPrograms(family: Family, chain: string): CniError {
  const name = family === 4 ? "iptables" : "ip6tables";
  return new CniError(
    ErrorCode.Io,
    `chain ${chain} has rules to be removed, and no ${name} that keeps its rules in nf_tables is installed`,
    'install iptables (Debian, Fedora, Alpine: package "iptables"), and repeat the call',
  );
}

/** Whether the table of any iptables has the chain, also where the programs are gone by now. */
export function chainIsThere(host: NetworkStack, family: Family, table: string, chain: string): boolean {
  if (nftablesPresent(host) && chainExists(host.netfilter, nftTable(family, table), chain)) return true;
  return iptablesWithChain(host, family, table, chain, () => false).length > 0;
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
 * Removes the chain, its rules and every jump to it, wherever it is, or what `plan` makes of the table's lines. Absence is success.
 * @throws CniError 5, also when iptables said that all went well and a chain that was to go is still there
 */
export function removeChain(
  host: NetworkStack,
  family: Family,
  table: string,
  chain: string,
  plan: (saved: readonly string[]) => string[] = (saved: readonly string[]): string[] => chainDeletion(saved, chain),
): void {
  const own = (): boolean => true;
  let goes = false;
  for (const iptables of iptablesWithChain(host, family, table, chain, own)) {
    iptables.change(table, (saved) => {
      const lines = plan(saved);
      goes = lines.includes(`-X ${chain}`);
      return lines;
    });
  }
  if (!goes || iptablesWithChain(host, family, table, chain, own).length === 0) return;
  throw new CniError(
    ErrorCode.Io,
    `Cannot remove chain ${chain} of table ${table}: iptables changed nothing and reported no failure`,
    "the call can be repeated; see what iptables-save prints",
  );
}
