/**
 * Host ports that are mapped outside of our table: by the reference, in nf_tables or iptables, and by our own iptables backend.
 * Theirs are translated first (priority -100), so that a mapping of ours for the same port would be there and never be used.
 */
import type { Address, Family } from "../../pkg/ip/address.ts";
import { iptablesWithChain, nftTable, removeChain } from "../../pkg/iptables/installed.ts";
import type { Iptables } from "../../pkg/iptables/iptables.ts";
import { jumpTarget, rulesOf } from "../../pkg/iptables/rule-line.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { listRules } from "../../pkg/nftables/ruleset.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { DNAT, mappingsIn } from "./iptables-rules.ts";
import { interfaceTowards } from "./localhost.ts";
import { type Mapped, mappedText } from "./mapped.ts";
import { type ReferenceMapping, referenceMappings, removeReferenceRules } from "./reference-rules.ts";
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
    const mapped = wanted.find((each) => isUsedUp(each, held.mapped));
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

/** Whether all connections for the wanted one are the held one's; those of one address alone may be, as in our own maps. */
function isUsedUp(wanted: Mapped, held: Mapped): boolean {
  if (wanted.protocol !== held.protocol || wanted.hostPort !== held.hostPort) return false;
  if (wanted.container.family !== held.container.family) return false;
  if (held.hostIp === undefined) return true;
  return wanted.hostIp?.equals(held.hostIp) === true;
}

function inNftables(host: NetworkStack): Held[] {
  return referenceMappings(host).map((each: ReferenceMapping): Held => heldInNftables(host, each));
}

function heldInNftables(host: NetworkStack, { mapped, containerId }: ReferenceMapping): Held {
  const remove = (): void => removeReferenceRules(host, containerId, [mapped.container]);
  return { mapped, holder: containerId, remove };
}

/** Programs run only where somebody has mappings there. */
function inIptables(host: NetworkStack): Held[] {
  const found: Held[] = [];
  for (const family of families) {
    // What only missing programs could read is not told.
    for (const iptables of iptablesWithChain(host, family, "nat", DNAT, () => false)) {
      if (iptables.variant === "nft" && !hasMappings(host, iptables)) continue;
      const saved: string[] = iptables.read("nat");
      for (const entry of rulesOf(saved, DNAT)) {
        for (const mapped of mappingsIn(saved, jumpTarget(entry))) found.push(heldInIptables(host, entry, mapped));
      }
    }
  }
  return found;
}

function heldInIptables(host: NetworkStack, entry: string, mapped: Mapped): Held {
  const holder = / id: \\"([^\\]*)/.exec(entry)?.[1] ?? "?";
  const remove = (): void => removeChain(host, mapped.container.family, "nat", jumpTarget(entry));
  return { mapped, holder, remove };
}

/** Whether either suite has mappings of the family there. */
export function isMappedElsewhere(host: NetworkStack, family: Family): boolean {
  if (referenceMappings(host).some(({ mapped }) => mapped.container.family === family)) return true;
  return iptablesWithChain(host, family, "nat", DNAT, () => false).some((each) => hasMappings(host, each));
}

/** The interfaces by which the host reaches containers whose mappings of IPv4 are elsewhere. */
export function interfacesHeld(host: NetworkStack): string[] {
  const containers: Address[] = [];
  for (const { mapped } of [...inNftables(host), ...inIptables(host)]) {
    const { container } = mapped;
    if (container.family === 4 && !containers.some((each) => each.equals(container))) containers.push(container);
  }
  const names: string[] = [];
  for (const container of containers) {
    const name = interfaceTowards(host, container)?.name;
    if (name !== undefined && !names.includes(name)) names.push(name);
  }
  return names;
}

/** A program runs only for the older variant. */
function hasMappings(host: NetworkStack, iptables: Iptables): boolean {
  const { family, variant } = iptables;
  if (variant === "legacy") return rulesOf(iptables.read("nat"), DNAT).length > 0;
  return listRules(host.netfilter, nftTable(family, "nat"), DNAT).length > 0;
}
