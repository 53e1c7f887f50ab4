/**
 * Host ports that are mapped outside of our table: by the reference, in nf_tables or iptables, and by our own iptables backend.
 * Theirs are translated first (priority -100), so that a mapping of ours for the same port would be there and never be used.
 */
import type { Family } from "../../pkg/ip/address.ts";
import { iptablesWithChain, nftTable, removeChain } from "../../pkg/iptables/installed.ts";
import { jumpTarget, rulesOf } from "../../pkg/iptables/rule-line.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { listRules } from "../../pkg/nftables/ruleset.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { DNAT, mappingsIn } from "./iptables-rules.ts";
import { type Mapped, mappedText } from "./mapped.ts";
import { referenceMappings, removeReferenceRules } from "./reference-rules.ts";
import { families } from "./sets.ts";

/** A mapping of others. */
interface Held {
  readonly mapped: Mapped;
  /** The container's id, as far as it is known. */
  readonly holder: string;
  readonly remove: () => void;
}

/**
 * Makes sure that nobody outside of our table holds one of the ports. What leads to an address that the container has now is left
 * from an earlier one, or from its own ADD by the reference, and is removed. @throws CniError 101 naming who holds a port
 */
export function requireFreeElsewhere(host: NetworkStack, wanted: readonly Mapped[]): void {
  for (const held of [...inNftables(host), ...inIptables(host)]) {
    const mapped = wanted.find((each) => collide(each, held.mapped));
    if (mapped === undefined) continue;
    if (wanted.some((each) => each.container.equals(held.mapped.container))) {
      held.remove();
      continue;
    }
    throw new CniError(
      ErrorCode.Taken,
      `Cannot map host port ${mappedText(mapped)}: it is held by container ${held.holder}, mapped by the reference suite or in iptables`,
      "remove that container, or map another port of the host; iptables-save and nft list ruleset show what it has left",
    );
  }
}

/** Whether some connection is for both. */
function collide(one: Mapped, other: Mapped): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  if (one.container.family !== other.container.family) return false;
  return one.hostIp === undefined || other.hostIp === undefined || one.hostIp.equals(other.hostIp);
}

function inNftables(host: NetworkStack): Held[] {
  const found: Held[] = [];
  for (const { mapped, containerId } of referenceMappings(host)) {
    const remove = (): void => removeReferenceRules(host, containerId, [mapped.container]);
    found.push({ mapped, holder: containerId, remove });
  }
  return found;
}

/** Programs run only where somebody has mappings there. */
function inIptables(host: NetworkStack): Held[] {
  const found: Held[] = [];
  for (const family of families) {
    for (const iptables of iptablesWithChain(host, family, "nat", DNAT)) {
      if (iptables.variant === "nft" && !hasRules(host, family)) continue;
      const saved: string[] = iptables.read("nat");
      for (const entry of rulesOf(saved, DNAT)) {
        const chain = jumpTarget(entry);
        const holder = / id: \\"([^\\]*)/.exec(entry)?.[1] ?? "?";
        const remove = (): void => removeChain(host, family, "nat", chain);
        for (const mapped of mappingsIn(saved, chain)) found.push({ mapped, holder, remove });
      }
    }
  }
  return found;
}

function hasRules(host: NetworkStack, family: Family): boolean {
  return listRules(host.netfilter, nftTable(family, "nat"), DNAT).length > 0;
}
