/** Port mappings in iptables: ensured on ADD, verified on CHECK, removed on DEL and GC. The rules: iptables-rules.ts. */
import type { Family } from "../../pkg/ip/address.ts";
import { alone } from "../../pkg/iptables/alone.ts";
import { iptablesWithChain, type RuleContent, removeChain } from "../../pkg/iptables/installed.ts";
import { Iptables } from "../../pkg/iptables/iptables.ts";
import { chainDeletion } from "../../pkg/iptables/rule-line.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import type { ValidAttachments } from "../../pkg/skel/valid-attachments.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import { ensureGuard, releaseGuard } from "./iptables-guard.ts";
import {
  DNAT,
  dnatChain,
  type IptablesPlan,
  installation,
  mappingsIn,
  missing,
  networkWords,
  oldSnatChain,
  staleChains,
} from "./iptables-rules.ts";
import type { Mapped } from "./mapped.ts";
import { families } from "./sets.ts";

/** Each family's part of a plan, where it has any. */
function perFamily(plan: IptablesPlan, conditions6: readonly string[], family: Family): IptablesPlan | undefined {
  const targets = plan.targets.filter((target) => target.container.family === family);
  if (targets.length === 0) return undefined;
  return { ...plan, targets, conditions: family === 4 ? plan.conditions : conditions6 };
}

/**
 * Maps the ports; what the container had before is replaced. `towards` is the interface that the host's own connections to
 * 127.0.0.1 will go out by, if any. @throws CniError 5, also when iptables is missing; 7
 */
export function ensureInIptables(
  host: NetworkStack,
  plan: IptablesPlan,
  conditions6: readonly string[],
  towards: Link | undefined,
): void {
  if (towards === undefined) {
    ensureMappings(plan, conditions6);
    return;
  }
  alone(() => {
    ensureGuard(host, towards, plan.attachment.key);
    ensureMappings(plan, conditions6);
  });
}

function ensureMappings(plan: IptablesPlan, conditions6: readonly string[]): void {
  for (const family of families) {
    const part = perFamily(plan, conditions6, family);
    if (part === undefined) continue;
    const iptables = Iptables.require(family);
    try {
      iptables.change("nat", (saved) => installation(saved, part));
    } catch (error) {
      if (error instanceof RangeError) throw invalidConfig(`conditionsV${family}: ${error.message}`);
      throw error;
    }
  }
}

/** @throws CniError 102 naming what is missing */
export function verifyInIptables(plan: IptablesPlan, conditions6: readonly string[]): void {
  for (const family of families) {
    const part = perFamily(plan, conditions6, family);
    if (part === undefined) continue;
    const problems = missing(Iptables.require(family).read("nat"), part, family);
    if (problems.length > 0) throw drift(problems.join("; "));
  }
}

/** Whether all of the plan is in iptables, which need not be there. */
export function isInIptables(plan: IptablesPlan, conditions6: readonly string[]): boolean {
  try {
    verifyInIptables(plan, conditions6);
    return true;
  } catch (_) {
    return false;
  }
}

/**
 * Removes the container's mappings, and what guarded them if they were the last, and tells what they were; nothing runs where there
 * are none. Absence is success.
 */
export function removeFromIptables(host: NetworkStack, attachment: Attachment): Mapped[] {
  const found: Mapped[] = [];
  const { network, containerId } = attachment;
  for (const family of families) {
    for (const chain of [dnatChain(network, containerId), oldSnatChain(network, containerId)]) {
      removeChain(host, family, "nat", chain, (saved: readonly string[]): string[] => {
        for (const mapped of mappingsIn(saved, chain)) found.push(mapped);
        return chainDeletion(saved, chain);
      });
    }
  }
  releaseGuard(host, (key) => key === attachment.key);
  return found;
}

/** Removes the mappings of the network's containers that are not alive, and what guarded them, and tells what they were. */
export function collectInIptables(host: NetworkStack, valid: ValidAttachments): Mapped[] {
  const { network } = valid;
  const alive = valid.liveContainers();
  const found: Mapped[] = [];
  for (const family of families) {
    const concerns = ({ words }: RuleContent): boolean => words.includes(networkWords(network));
    for (const iptables of iptablesWithChain(host, family, "nat", DNAT, concerns)) {
      iptables.change("nat", (saved) => {
        const lines: string[] = [];
        for (const chain of staleChains(saved, network, alive)) {
          for (const mapped of mappingsIn(saved, chain)) found.push(mapped);
          for (const line of chainDeletion(saved, chain)) lines.push(line);
        }
        return lines;
      });
    }
  }
  releaseGuard(host, (key) => valid.isStale(key));
  return found;
}
