/**
 * portmap: leads ports of the host to ports of the container. Chained after the plugin that makes the interface.
 *
 *   outside ──▶ host:8080 ──DNAT──▶ 10.1.0.2:80 [eth0]container
 */
import type { Address, Family } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Placed } from "../../pkg/nftables/element.ts";
import type { Rule } from "../../pkg/nftables/rule.ts";
import { nftablesPresent } from "../../pkg/nftables/support.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { ErrorCode, messageOf } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { chooseBackend, requireBackend } from "./backend.ts";
import { parseConditions } from "./conditions.ts";
import { config, type PortMapping, type PortmapConfig } from "./config.ts";
import { masqueradeElements, neighbourSubnets, ownerElement, ownerKey, portElement } from "./elements.ts";
import { forgetEarlierFlows, forgetFlows } from "./flows.ts";
import { requireFreeElsewhere } from "./held-elsewhere.ts";
import { identityOf } from "./identity.ts";
import { verifyGuard } from "./iptables-guard.ts";
import {
  collectInIptables,
  ensureInIptables,
  isInIptables,
  removeFromIptables,
  verifyInIptables,
} from "./iptables-mappings.ts";
import type { IptablesPlan } from "./iptables-rules.ts";
import { closeLeftOver, interfaceTowards, letLocalhostOut, verifyLocalhostGoesOut } from "./localhost.ts";
import { ownLocalnet, sharedLocalnet } from "./localnet.ts";
import type { Mapped } from "./mapped.ts";
import { ensureMappings, type Plan, verifyMappings } from "./mappings.ts";
import { isMappedByReference, removeReferenceRules } from "./reference-rules.ts";
import { collectMappings, removeMappings } from "./removal.ts";
import { conditionalRules } from "./rules.ts";
import { containerAddresses, mappedTarget, type Target, targetsOf } from "./targets.ts";

export function portmap(): Plugin {
  return definePlugin({ type: "portmap", since: "0.1.0", entersSandbox: false, config, add, del, check, gc, status });
}

function add({ config, attachment, host, sandbox, prevResult, undo, warn }: Add<PortmapConfig>): Result {
  const result = requirePrevResult(prevResult, "portmap");
  const targets = targetsOf(config.mappings, containerAddresses(result, attachment.ifName));
  if (targets.length === 0) return result;
  const backend = chooseBackend(host, config);
  requireBackend(host, backend, ErrorCode.Io);

  const towards = localhostInterface(host, config, targets);
  if (backend === "nftables") {
    requireFreeElsewhere(
      host,
      targets.map((each: Target): Mapped => mappedTarget(each)),
    );
  }
  undo.push("remove the port mappings", () => removeAll(host, attachment));
  if (backend === "nftables") {
    ensureMappings(host, nftablesPlan(host, config, attachment, targets, identityOf(sandbox.path), towards));
  } else {
    ensureInIptables(host, iptablesPlan(config, attachment, targets), config.conditions6, towards);
  }
  if (towards !== undefined) letLocalhostOut(host, towards.name);
  attemptFlows(warn, () => forgetEarlierFlows(host, targets));
  return result;
}

/** The interface that must let the host's own connections to 127.0.0.1 out to the container. */
function localhostInterface(host: NetworkStack, config: PortmapConfig, targets: readonly Target[]): Link | undefined {
  if (!config.snat) return undefined;
  const target = targets.find((each) => each.container.family === 4);
  return target === undefined ? undefined : interfaceTowards(host, target.container.address);
}

function nftablesPlan(
  host: NetworkStack,
  config: PortmapConfig,
  attachment: Attachment,
  targets: readonly Target[],
  identity: string,
  towards: Link | undefined,
): Plan {
  const ports: Placed[] = [];
  const conditional: Rule[] = [];
  const alternatives4 = parseConditions(config.conditions4, "conditionsV4");
  const alternatives6 = parseConditions(config.conditions6, "conditionsV6");
  for (const target of targets) {
    const family = target.container.family;
    if (conditionsOf(config, family).length === 0) {
      ports.push(portElement(target, attachment.tag));
    } else {
      const alternatives = family === 4 ? alternatives4 : alternatives6;
      for (const rule of conditionalRules(target, alternatives, attachment.tag)) conditional.push(rule);
    }
  }
  const others = otherElements(host, config, attachment, targets, towards);
  const subnets: Prefix[] = neighbourSubnets(targets, config);
  const owner = ownerElement(attachment, { count: 1 + ports.length + others.length, identity });
  return { attachment, owner, ports, conditional, others, subnets, localnet: sharedLocalnet(host, towards) };
}

function otherElements(
  host: NetworkStack,
  config: PortmapConfig,
  attachment: Attachment,
  targets: readonly Target[],
  towards: Link | undefined,
): Placed[] {
  return [...masqueradeElements(targets, config, attachment.tag), ...ownLocalnet(host, towards, attachment.tag)];
}

function conditionsOf(config: PortmapConfig, family: Family): readonly string[] {
  return family === 4 ? config.conditions4 : config.conditions6;
}

function iptablesPlan(config: PortmapConfig, attachment: Attachment, targets: readonly Target[]): IptablesPlan {
  return {
    attachment,
    targets,
    mappings: config.mappings,
    snat: config.snat,
    masqAll: config.masqAll,
    markBit: config.markBit,
    externalSetMarkChain: config.externalSetMarkChain,
    conditions: config.conditions4,
  };
}

/** Old flows lead astray until they end, which is no reason to fail. */
function attemptFlows(warn: (line: string) => void, forget: () => void): void {
  try {
    forget();
  } catch (error) {
    warn(`portmap: UDP flows from before may go on as they were: ${messageOf(error)}`);
  }
}

/** By what the kernel's objects say, whatever the backend is now, with or without mappings and prevResult. */
function del({ config, attachment, host, prevResult, teardown, warn }: Del<PortmapConfig>): void {
  const gone: Mapped[] = [];
  const containers = prevResult === undefined ? [] : containerAddresses(prevResult, attachment.ifName);
  const targets = tolerantTargets(config.mappings, containers);
  teardown.attempt("remove the mappings", () => {
    if (!nftablesPresent(host)) return;
    const towards = localhostInterface(host, config, targets);
    const expected = expectedElements(host, config, attachment, targets, towards);
    for (const mapped of removeMappings(host, attachment, expected)) gone.push(mapped);
    const addresses = containers.map((each: Prefix): Address => each.address);
    removeReferenceRules(host, attachment.containerId, prevResult === undefined ? undefined : addresses);
    if (towards !== undefined) closeLeftOver(host, towards.name);
  });
  teardown.attempt("remove the mappings of iptables", () => {
    for (const mapped of removeFromIptables(host, attachment)) gone.push(mapped);
  });
  if (gone.length > 0) attemptFlows(warn, () => forgetFlows(host, gone));
}

/** What an ADD of the same request would have put into sets and maps; a guess that saves searching. */
function expectedElements(
  host: NetworkStack,
  config: PortmapConfig,
  attachment: Attachment,
  targets: readonly Target[],
  towards: Link | undefined,
): Placed[] {
  const expected: Placed[] = [ownerKey(attachment.key)];
  for (const target of targets) {
    if (conditionsOf(config, target.container.family).length === 0) expected.push(portElement(target, attachment.tag));
  }
  return [...expected, ...otherElements(host, config, attachment, targets, towards)];
}

/** DEL does not mind what ADD must have refused. */
function tolerantTargets(mappings: readonly PortMapping[], containers: readonly Prefix[]): Target[] {
  try {
    return targetsOf(mappings, containers);
  } catch (_) {
    return [];
  }
}

/** What this ADD made; the reference's rules in nf_tables are not told apart by network, and may be another one's. */
function removeAll(host: NetworkStack, attachment: Attachment): void {
  if (nftablesPresent(host)) removeMappings(host, attachment, []);
  removeFromIptables(host, attachment);
}

/** What either suite's other backends have mapped counts, too: it serves until the container goes. */
function check({ config, attachment, host, sandbox, prevResult }: Check<PortmapConfig>): void {
  const result = requireCheckedResult(prevResult, "portmap");
  const targets = targetsOf(config.mappings, containerAddresses(result, attachment.ifName));
  if (targets.length === 0) return;
  const towards = localhostInterface(host, config, targets);
  const inIptables = iptablesPlan(config, attachment, targets);
  if (chooseBackend(host, config) === "iptables") {
    verifyInIptables(inIptables, config.conditions6);
    if (towards !== undefined) verifyGuard();
  } else {
    try {
      verifyMappings(host, nftablesPlan(host, config, attachment, targets, identityOf(sandbox.path), towards));
    } catch (error) {
      const mappings = targets.map((each: Target): Mapped => mappedTarget(each));
      const isMapped = isMappedByReference(host, attachment.containerId, mappings);
      if (!isMapped && !isInIptables(inIptables, config.conditions6)) throw error;
    }
  }
  if (towards !== undefined) verifyLocalhostGoesOut(host, towards.name);
}

function gc({ host, valid, teardown, warn }: Gc<PortmapConfig>): void {
  const gone: Mapped[] = [];
  teardown.attempt("collect mappings", () => {
    if (!nftablesPresent(host)) return;
    for (const mapped of collectMappings(host, (tag) => valid.isStale(tag))) gone.push(mapped);
  });
  teardown.attempt("collect mappings of iptables", () => {
    for (const mapped of collectInIptables(host, valid)) gone.push(mapped);
  });
  if (gone.length > 0) attemptFlows(warn, () => forgetFlows(host, gone));
}

/** Says on stderr which backend an ADD would use. */
function status({ config, host, warn }: Status<PortmapConfig>): void {
  const backend = chooseBackend(host, config);
  requireBackend(host, backend, ErrorCode.NotAvailable);
  if (backend === "nftables") {
    parseConditions(config.conditions4, "conditionsV4");
    parseConditions(config.conditions6, "conditionsV6");
  }
  warn(`portmap: the backend is ${backend}`);
}
