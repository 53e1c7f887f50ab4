/**
 * What masquerading looks like in nf_tables: one rule a subnet, and in its set the containers' addresses come and go, so that
 * an attachment costs the same with none and with ten thousand others, and so does a packet.
 *
 *   table inet ferrule_masquerade {
 *     set ip4_6e1f… { type ipv4_addr; elements = { 10.1.0.2 comment "<owner>" } }
 *     chain postrouting { type nat hook postrouting priority srcnat + 5; policy accept;
 *       ip daddr 224.0.0.0/4 return
 *       ip6 daddr ff00::/8 return
 *       ip saddr @ip4_6e1f… ip daddr != 10.1.0.0/24 masquerade comment "6e1f… podnet 10.1.0.0/24"
 *     }
 *   }
 */
import { textDigest } from "../codec/sha512.ts";
import { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { baseChain, type Chain } from "../nftables/chain.ts";
import { addressType } from "../nftables/datum.ts";
import { inSet, outside, within } from "../nftables/match.ts";
import { masquerade } from "../nftables/nat.ts";
import { type Rule, rule } from "../nftables/rule.ts";
import { destinationAddress, sourceAddress } from "../nftables/selector.ts";
import { type NftSet, setOf } from "../nftables/set.ts";
import { returnToCaller } from "../nftables/statement.ts";
import type { Table } from "../nftables/table.ts";
import { networkTag } from "../skel/attachment.ts";

export const table: Table = { family: "inet", name: "ferrule_masquerade" };

/** Just after the usual source NAT, so that a translation that others chose for a connection stands. */
export const chain: Chain = baseChain("postrouting", {
  type: "nat",
  hook: "postrouting",
  priority: 105,
  policy: "accept",
});

/** Multicast is never masqueraded. */
export function multicastRules(): Rule[] {
  return [multicastRule([224, 0, 0, 0], 4), multicastRule([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8)];
}

function multicastRule(bytes: readonly number[], length: number): Rule {
  const prefix = new Prefix(new Address(new Uint8Array(bytes)), length);
  return rule([within(destinationAddress(prefix.family), prefix), returnToCaller()]);
}

/** The set of a network's addresses in one subnet; its name says both. */
export function subnetSet(network: string, subnet: Prefix): NftSet {
  const name = `ip${subnet.family}_${textDigest(`${network} ${subnet.masked.toString()}`, 24)}`;
  return setOf(name, [addressType(subnet.family)], networkComment(network, subnet));
}

/** Of set and rule: the network's tag, and for people its name and the subnet. */
export function networkComment(network: string, subnet: Prefix): string {
  return `${networkTag(network)} ${network} ${subnet.masked.toString()}`.slice(0, 120);
}

/** Masquerades what the set's addresses send out of their subnet. */
export function subnetRule(set: NftSet, subnet: Prefix): Rule {
  const away = outside(destinationAddress(subnet.family), subnet);
  return rule([inSet([sourceAddress(subnet.family)], set.name), away, masquerade()], set.comment);
}
