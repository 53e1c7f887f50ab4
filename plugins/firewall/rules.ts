/**
 * What the firewall looks like in nf_tables: tables whose chains are built once. Only elements of their sets and maps come and
 * go, so that an attachment costs the same with none and with ten thousand others, and so does a packet.
 *
 *   table inet ferrule_firewall {
 *     set owners { … }                                           # who has what here
 *     map accepted4 { 10.1.0.2 comment "<owner>" : accept }      # and accepted6: the containers' addresses
 *     set bridges { "cni0" }                                     # bridges with an ingress policy
 *     set together { "cni0" . "cni0" }                           # of these, those whose containers reach each other: same-bridge
 *     chain admin { }                                            # the administrator's
 *     chain forward { type filter hook forward priority filter - 5; policy accept;
 *       jump admin
 *       jump isolation
 *       ip saddr vmap @accepted4                                 # and what is answered to them
 *     }
 *   }
 *   table bridge ferrule_firewall {
 *     set apart { "veth1a2b" comment "<owner>" }                 # isolated: ports of one bridge that do not reach each other
 *     chain forward { type filter hook forward priority -200; policy accept;
 *       iifname @apart oifname @apart meta protocol ip drop      # and ip6
 *     }
 *   }
 */
import type { Family } from "../../pkg/ip/address.ts";
import { baseChain, regularChain } from "../../pkg/nftables/chain.ts";
import { addressType, etherTypeDatum, interfaceType, ipv6Type, verdictType } from "../../pkg/nftables/datum.ts";
import { ctState, equals, inSet } from "../../pkg/nftables/match.ts";
import { type Rule, rule } from "../../pkg/nftables/rule.ts";
import {
  destinationAddress,
  inputInterface,
  networkProtocol,
  outputInterface,
  sourceAddress,
} from "../../pkg/nftables/selector.ts";
import { mapOf, type NftSet, setOf } from "../../pkg/nftables/set.ts";
import type { StandingChain } from "../../pkg/nftables/standing-chain.ts";
import { accept, decideByMap, drop, jump, returnToCaller, setMark } from "../../pkg/nftables/statement.ts";
import type { Table } from "../../pkg/nftables/table.ts";

export const table: Table = { family: "inet", name: "ferrule_firewall" };
export const tableComment = "Ferrule: what containers may send and be sent";
/** For what the host does not route: frames between ports of one bridge. */
export const bridgeTable: Table = { family: "bridge", name: "ferrule_firewall" };
export const bridgeTableComment = "Ferrule: containers of one bridge that may not reach each other";

export const families: readonly Family[] = [4, 6];

export const OWNERS = "owners";
export const BRIDGES = "bridges";
export const TOGETHER = "together";
/** In the bridges' table: ports that are kept apart. */
export const APART = "apart";
export const ADMIN = "admin";

/** The map of a family's container addresses. */
export function accepted(family: Family): string {
  return `accepted${family}`;
}

/** Every set and map of the main table. */
export function standingSets(): NftSet[] {
  const sets = [
    setOf(OWNERS, [ipv6Type], "attachments, by a hash"),
    setOf(BRIDGES, [interfaceType], "no traffic from another one of these"),
    setOf(TOGETHER, [interfaceType, interfaceType], "except within one of these"),
  ];
  for (const family of families) {
    sets.push(mapOf(accepted(family), [addressType(family)], [verdictType], "containers' addresses"));
  }
  return sets;
}

/** Every chain of the main table but the administrator's, those that others jump to first. */
export function standingChains(): StandingChain[] {
  return [isolation(), forward()];
}

function isolation(): StandingChain {
  return {
    chain: regularChain("isolation"),
    rules: [
      rule([inSet([inputInterface, outputInterface], TOGETHER), returnToCaller()]),
      rule([inSet([inputInterface], BRIDGES), inSet([outputInterface], BRIDGES), drop()]),
    ],
  };
}

/** Before the usual filters, which are to see the marks. */
function forward(): StandingChain {
  const rules: Rule[] = [rule([jump(ADMIN)]), rule([jump("isolation")])];
  for (const family of families) {
    rules.push(rule([decideByMap([sourceAddress(family)], accepted(family))]));
    const answers = ctState(["established", "related"]);
    rules.push(rule([answers, decideByMap([destinationAddress(family)], accepted(family))]));
  }
  return { chain: baseChain("forward", { type: "filter", hook: "forward", priority: -5, policy: "accept" }), rules };
}

export const apartSet: NftSet = setOf(APART, [interfaceType], "ports that do not reach each other");

/** The chain of the bridges' table. ARP may pass: addresses may be asked for, and nobody is reached by that. */
export function bridgeChain(): StandingChain {
  const apart = [inSet([inputInterface], APART), inSet([outputInterface], APART)];
  return {
    chain: baseChain("forward", { type: "filter", hook: "forward", priority: -200, policy: "accept" }),
    rules: [
      rule([...apart, equals(networkProtocol, etherTypeDatum("ip")), drop()]),
      rule([...apart, equals(networkProtocol, etherTypeDatum("ip6")), drop()]),
    ],
  };
}

/** The chain that marks what it accepts with these bits. */
export function markingChain(bits: number): StandingChain {
  return { chain: regularChain(markingName(bits)), rules: [rule([setMark(bits, bits), accept()])] };
}

export function markingName(bits: number): string {
  return `accept_with_${bits >>> 0}`;
}
