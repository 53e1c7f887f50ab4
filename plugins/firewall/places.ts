/**
 * Where the rules must be. An accept in one table does not overrule a drop in another, so they belong where the host drops: that is
 * what the configuration says, else firewalld where it runs, and iptables where its FORWARD chain filters; only where neither
 * does, our own tables of nf_tables (docs/decisions/0012).
 */
import type { Family } from "../../pkg/ip/address.ts";
import { type ForwardFilter, forwardFilters } from "../../pkg/iptables/forward-policy.ts";
import { Iptables } from "../../pkg/iptables/iptables.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { listForwardChains } from "../../pkg/nftables/ruleset.ts";
import { adviceAbout, nftablesPresent, nftablesSupport } from "../../pkg/nftables/support.ts";
import { CniError } from "../../spec/errors.ts";
import type { FirewallConfig } from "./config.ts";
import { Firewalld } from "./firewalld.ts";
import { table } from "./rules.ts";

const families: readonly Family[] = [4, 6];

export interface Places {
  /** To be closed. */
  readonly firewalld: Firewalld | undefined;
  readonly iptables: boolean;
  /** Whether our own tables have a part in it; beside firewalld they hold the owners' records, and the ingress policies. */
  readonly nftables: boolean;
}

/**
 * The places for ADD, CHECK and STATUS; DEL and GC look everywhere. `busAddress` is DBUS_SYSTEM_BUS_ADDRESS.
 * @throws CniError of that code, which says what a place lacks and how to come by it
 */
export function choosePlaces(host: NetworkStack, config: FirewallConfig, busAddress: string, code: number): Places {
  switch (config.backend) {
    case "firewalld": {
      const nftables = hasNftables(host, code);
      return { firewalld: Firewalld.require(busAddress, code), iptables: false, nftables };
    }
    case "iptables":
      requireIptables(code);
      requirePrograms(allFilters(host), code);
      return { firewalld: undefined, iptables: true, nftables: false };
    case "nftables":
      requireNftables(host, code);
      return { firewalld: undefined, iptables: false, nftables: true };
    case undefined:
      return findPlaces(host, busAddress, code);
  }
}

function findPlaces(host: NetworkStack, busAddress: string, code: number): Places {
  const present = hasNftables(host, code);
  const firewalld = Firewalld.find(busAddress, code);
  try {
    const filters = allFilters(host);
    requirePrograms(filters, code);
    const filtered = filters.some(({ programs }) => programs !== undefined);
    const iptables = filtered || (!present && firewalld === undefined);
    if (iptables) requireIptables(code);
    return { firewalld, iptables, nftables: present && (firewalld !== undefined || !filtered) };
  } catch (error) {
    firewalld?.close();
    throw error;
  }
}

function allFilters(host: NetworkStack): ForwardFilter[] {
  const found: ForwardFilter[] = [];
  for (const family of families) for (const filter of forwardFilters(host, family)) found.push(filter);
  return found;
}

/** What drops by policy must be told of each container, and only its own programs can do that. */
function requirePrograms(filters: readonly ForwardFilter[], code: number): void {
  for (const { family, variant, dropsByPolicy, programs } of filters) {
    if (programs !== undefined || !dropsByPolicy) continue;
    throw new CniError(
      code,
      `firewall cannot use iptables: the table filter (IPv${family}) of its kind "${variant}" drops what is forwarded, and the programs of that kind are not installed`,
      `install iptables-${variant}, or set "backend": "nftables" where that table does not matter`,
    );
  }
}

/** Whether the kernel has nf_tables. @throws CniError of that code when that cannot be found out, for want of CAP_NET_ADMIN or memory */
function hasNftables(host: NetworkStack, code: number): boolean {
  try {
    return nftablesPresent(host);
  } catch (error) {
    if (error instanceof KernelError) throw withoutNftables(error, code);
    throw error;
  }
}

function requireNftables(host: NetworkStack, code: number): void {
  const problem = nftablesSupport(host);
  if (problem !== undefined) throw withoutNftables(problem, code);
}

function withoutNftables(problem: KernelError, code: number): CniError {
  return new CniError(
    code,
    `firewall cannot use nftables: ${problem.message}`,
    adviceAbout(problem, 'set "backend": "iptables"'),
  );
}

function requireIptables(code: number): void {
  if (Iptables.find(4) !== undefined || Iptables.find(6) !== undefined) return;
  throw new CniError(
    code,
    "firewall cannot use iptables: neither iptables nor ip6tables is installed",
    'install iptables, or set "backend": "nftables"',
  );
}

/** The places in words: "firewalld and iptables". */
export function placesText({ firewalld, iptables, nftables }: Places): string {
  const names: string[] = [];
  if (firewalld !== undefined) names.push("firewalld");
  if (iptables) names.push("iptables");
  if (nftables && firewalld === undefined) names.push("nftables");
  return names.join(" and ");
}

/** Others' chains that drop what they do not accept themselves, whatever we accept, with what can be done about it. */
export function foreignDrops(host: NetworkStack, places: Places): string[] {
  if (nftablesSupport(host) !== undefined) return [];
  const lines: string[] = [];
  for (const { family, programs, dropsByPolicy } of places.iptables ? [] : allFilters(host)) {
    if (programs !== undefined || dropsByPolicy) continue;
    lines.push(
      `iptables' table filter (IPv${family}) has rules about what is forwarded, and its programs are not installed: what those drop stays dropped: install iptables`,
    );
  }
  for (const { table: of, name, policy } of listForwardChains(host.netfilter)) {
    if (policy !== "drop" || of.name === table.name) continue;
    const isIptables = of.name === "filter" && name === "FORWARD" && of.family !== "inet";
    if (isIptables && places.iptables) continue;
    const advice = isIptables
      ? '"backend": "iptables" has them accepted there'
      : "let it accept their interfaces, or the bits that acceptMark sets";
    lines.push(
      `chain ${name} of table ${of.family} ${of.name} drops containers' packets unless it accepts them itself: ${advice}`,
    );
  }
  return lines;
}
