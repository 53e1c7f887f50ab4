/**
 * What port mappings look like in nf_tables: one table whose chains are built once. Only elements of its maps and sets come and
 * go, so that a mapping costs the same with none and with ten thousand others, and so does a connection.
 *
 *   table inet ferrule_portmap {
 *     set owners { … }                     # who has mappings here
 *     map ports4 { tcp . 8080 comment "<owner>" : 10.1.0.2 . 80 }           # and ports6
 *     map addressed4 { 192.0.2.1 . tcp . 8081 … : 10.1.0.2 . 80 }           # and addressed6: mappings with a hostIP
 *     prerouting, output (dstnat + 5): fib daddr type local → hostports: own conditions first, then addressed*, then ports*
 *     postrouting (srcnat + 5): ct status dnat → masquerading: what would else be answered past the mapping
 *     guard (raw): nothing from outside reaches 127.0.0.0/8
 *   }
 */
import { Address, type Family } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { baseChain, regularChain } from "../../pkg/nftables/chain.ts";
import { addressDatum, interfaceDatum, portDatum, protocolDatum } from "../../pkg/nftables/datum.ts";
import type { Expression } from "../../pkg/nftables/expression.ts";
import { ctStatus, differs, equals, fibType, inSet, within } from "../../pkg/nftables/match.ts";
import { masquerade, natByMap, natTo } from "../../pkg/nftables/nat.ts";
import { type Rule, rule } from "../../pkg/nftables/rule.ts";
import {
  destinationAddress,
  destinationPort,
  inputInterface,
  ip4Destination,
  ip4Source,
  ip6Destination,
  originalDestinationPort,
  type Selector,
  sourceAddress,
  transportProtocol,
} from "../../pkg/nftables/selector.ts";
import type { NftSet } from "../../pkg/nftables/set.ts";
import type { StandingChain } from "../../pkg/nftables/standing-chain.ts";
import { drop, jump, returnToCaller } from "../../pkg/nftables/statement.ts";
import { addressed, all, families, LOCAL, ports, self } from "./sets.ts";
import { protocolNumber, specificAddress, type Target } from "./targets.ts";

/** Rules of attachments with conditions of their own, each with its owner as comment. */
export const conditionalChain = "conditional";
/** A rule for each subnet of containers, with the subnet's set as comment. */
export const neighboursChain = "neighbours";

/** Every chain, those that others jump to first. */
export function standingChains(): StandingChain[] {
  return [
    { chain: regularChain(conditionalChain), rules: [] },
    { chain: regularChain(neighboursChain), rules: [] },
    hostports(),
    prerouting(),
    output(),
    masquerading(),
    postrouting(),
    guard(),
  ];
}

/** The mappings: those with conditions, those of one address of the host, those of all. */
function hostports(): StandingChain {
  const rules: Rule[] = [rule([jump(conditionalChain)])];
  for (const family of families) {
    rules.push(
      rule([
        natByMap("dnat", family, [destinationAddress(family), transportProtocol, destinationPort], addressed(family)),
      ]),
    );
  }
  for (const family of families) {
    rules.push(rule([natByMap("dnat", family, [transportProtocol, destinationPort], ports(family))]));
  }
  return { chain: regularChain("hostports"), rules };
}

/** Later than the usual -100, so that what others translate more specifically stays theirs; and never traffic passing through. */
function prerouting(): StandingChain {
  return {
    chain: baseChain("prerouting", { type: "nat", hook: "prerouting", priority: -95, policy: "accept" }),
    rules: [rule([fibType("daddr", "local"), jump("hostports")])],
  };
}

/** What the host itself sends. The kernel brings no answers back to ::1, so that it is better refused than kept waiting. */
function output(): StandingChain {
  const localhost = Prefix.host(new Address(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])));
  return {
    chain: baseChain("output", { type: "nat", hook: "output", priority: -95, policy: "accept" }),
    rules: [
      rule([within(ip6Destination, localhost), returnToCaller()]),
      rule([fibType("daddr", "local"), jump("hostports")]),
    ],
  };
}

function postrouting(): StandingChain {
  return {
    chain: baseChain("postrouting", { type: "nat", hook: "postrouting", priority: 105, policy: "accept" }),
    rules: [rule([ctStatus("dnat"), jump("masquerading")])],
  };
}

/** The container to itself; all connections of who wants it so; localhost; and the container's neighbours on its own link. */
function masquerading(): StandingChain {
  const rules: Rule[] = [];
  for (const family of families) {
    rules.push(rule([inSet([sourceAddress(family), destinationAddress(family)], self(family)), masquerade()]));
    rules.push(rule([inSet(mappedKey(family), all(family)), masquerade()]));
  }
  rules.push(rule([within(ip4Source, localhost4()), inSet(mappedKey(4), LOCAL), masquerade()]));
  rules.push(rule([jump(neighboursChain)]));
  return { chain: regularChain("masquerading"), rules };
}

/** route_localnet, which lets the host's own connections out, would let others' packets to localhost in. */
function guard(): StandingChain {
  return {
    chain: baseChain("guard", { type: "filter", hook: "prerouting", priority: -300, policy: "accept" }),
    rules: [rule([differs(inputInterface, interfaceDatum("lo")), within(ip4Destination, localhost4()), drop()])],
  };
}

function localhost4(): Prefix {
  return new Prefix(new Address(new Uint8Array([127, 0, 0, 0])), 8);
}

/** Masquerades what a subnet's containers send to mapped ports of each other: answers would not come back by the host. */
export function neighbourRule(set: NftSet, subnet: Prefix): Rule {
  const from = within(sourceAddress(subnet.family), subnet);
  return rule([from, inSet(mappedKey(subnet.family), set.name), masquerade()], set.name);
}

/** A mapped connection once translated: container, protocol, its port, and the host's port that was asked for. */
function mappedKey(family: Family): Selector[] {
  return [destinationAddress(family), transportProtocol, destinationPort, originalDestinationPort];
}

/** The rules of a mapping with conditions, one for each alternative of them. */
export function conditionalRules(
  target: Target,
  alternatives: readonly (readonly Expression[])[],
  tag: string,
): Rule[] {
  const { mapping, container } = target;
  const address = specificAddress(mapping);
  const rules: Rule[] = [];
  for (const conditions of alternatives) {
    const parts: Expression[] = [];
    if (address !== undefined) parts.push(equals(destinationAddress(container.family), addressDatum(address)));
    parts.push(equals(transportProtocol, protocolDatum(protocolNumber(mapping.protocol))));
    parts.push(equals(destinationPort, portDatum(mapping.hostPort)));
    for (const condition of conditions) parts.push(condition);
    parts.push(natTo("dnat", container.address, mapping.containerPort));
    rules.push(rule(parts, tag));
  }
  return rules;
}
