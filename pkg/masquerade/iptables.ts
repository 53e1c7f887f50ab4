/**
 * Masquerading in iptables' nat table, with the chains, rules and comments of the reference suite, so that either suite
 * removes what the other made. The chain is the container's on this network: two interfaces on one network share it.
 *
 *   -A CNI-1b24… -d 10.1.0.0/24 -j ACCEPT
 *   -A CNI-1b24… ! -d 224.0.0.0/4 -j MASQUERADE
 *   -A POSTROUTING -s 10.1.0.2/32 -j CNI-1b24…
 */

import { drift } from "../../spec/errors.ts";
import type { IpConfig } from "../../spec/result.ts";
import { textDigest } from "../codec/sha512.ts";
import type { Family } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { iptablesWithChain, type RuleContent, removeChain } from "../iptables/installed.ts";
import { Iptables } from "../iptables/iptables.ts";
import {
  chainDeletion,
  chainsWithComment,
  commentWords,
  deletion,
  hasChain,
  jumpsTo,
  ruleLine,
} from "../iptables/rule-line.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import type { Attachment } from "../skel/attachment.ts";

const families: readonly Family[] = [4, 6];

const CHAIN = "CNI-";

/** `CNI-` and 24 hexadecimal digits of network and container. */
export function masqueradeChain(network: string, containerId: string): string {
  return `${CHAIN}${textDigest(network + containerId, 24)}`;
}

/** The rules of one address, as iptables-save prints them. */
export function masqueradeLines(attachment: Attachment, address: Prefix): string[] {
  const chain = masqueradeChain(attachment.network, attachment.containerId);
  const comment = commentWords(commentOf(attachment.network, attachment.containerId));
  const multicast = address.family === 4 ? "224.0.0.0/4" : "ff00::/8";
  return [
    ruleLine(["-A", chain, "-d", address.masked.toString(), ...comment, "-j", "ACCEPT"]),
    ruleLine(["-A", chain, "!", "-d", multicast, ...comment, "-j", "MASQUERADE"]),
    ruleLine(["-A", "POSTROUTING", "-s", Prefix.host(address.address).toString(), ...comment, "-j", chain]),
  ];
}

function commentOf(network: string, containerId: string): string {
  return `${networkWords(network)}${containerId}"`;
}

/** What the comments of a network begin with; longer ones than the kernel keeps are cut, so that the container's name may be cut short. */
function networkWords(network: string): string {
  return `name: "${network}" id: "`;
}

function addressesOf(ips: readonly IpConfig[], family: Family): Prefix[] {
  return ips.filter((ip) => ip.address.family === family).map((ip: IpConfig): Prefix => ip.address);
}

/** Masquerades the addresses; rules that are there already stay. @throws CniError 5 when iptables is missing or fails */
export function ensureInIptables(_host: NetworkStack, attachment: Attachment, ips: readonly IpConfig[]): void {
  const chain = masqueradeChain(attachment.network, attachment.containerId);
  for (const family of families) {
    const addresses = addressesOf(ips, family);
    if (addresses.length === 0) continue;
    Iptables.require(family).change("nat", (saved) => {
      const lines: string[] = hasChain(saved, chain) ? [] : [`-N ${chain}`];
      for (const address of addresses) {
        for (const line of masqueradeLines(attachment, address)) {
          if (!saved.includes(line) && !lines.includes(line)) lines.push(line);
        }
      }
      return lines;
    });
  }
}

/** @throws CniError 102 naming the rule that is missing */
export function verifyInIptables(_host: NetworkStack, attachment: Attachment, ips: readonly IpConfig[]): void {
  for (const family of families) {
    const addresses = addressesOf(ips, family);
    if (addresses.length === 0) continue;
    const saved = Iptables.require(family).read("nat");
    for (const address of addresses) {
      for (const line of masqueradeLines(attachment, address)) {
        if (saved.includes(line)) continue;
        throw drift(
          `address ${address.toString()} of ${attachment.toString()} is not masqueraded: iptables' table nat lacks ${line}`,
        );
      }
    }
  }
}

/**
 * Removes the rules of the addresses, and with the last of the container its chain; with no address known, all at once. Nothing runs
 * where there are none. Absence is success.
 */
export function removeFromIptables(host: NetworkStack, attachment: Attachment, ips: readonly IpConfig[]): void {
  const chain = masqueradeChain(attachment.network, attachment.containerId);
  for (const family of families) {
    const addresses = ips.length === 0 ? undefined : addressesOf(ips, family);
    removeChain(host, family, "nat", chain, (saved) => removalLines(saved, chain, addresses));
  }
}

/** The lines that delete the jumps of these addresses, or where no other is left, or none is said, the chain and all jumps. */
export function removalLines(
  saved: readonly string[],
  chain: string,
  addresses: readonly Prefix[] | undefined,
): string[] {
  const jumps = jumpsTo(saved, chain);
  const sources = (addresses ?? []).map((each: Prefix): string => ` -s ${Prefix.host(each.address).toString()} `);
  const own = jumps.filter((line) => sources.some((source) => line.includes(source)));
  if (addresses === undefined || own.length === jumps.length) return chainDeletion(saved, chain);
  return own.map((line: string): string => deletion(line));
}

/** Removes the rules of the network's containers that are not alive. */
export function collectInIptables(host: NetworkStack, network: string, alive: readonly string[]): void {
  for (const family of families) {
    // POSTROUTING is there wherever any rule of ours can be.
    const concerns = ({ words }: RuleContent): boolean => words.includes(networkWords(network));
    for (const iptables of iptablesWithChain(host, family, "nat", "POSTROUTING", concerns)) {
      iptables.change("nat", (saved) => staleLines(saved, network, alive));
    }
  }
}

/** Jumps to chains of containers that are not alive, and these chains. */
export function staleLines(saved: readonly string[], network: string, alive: readonly string[]): string[] {
  const live = alive.map((containerId: string): string => masqueradeChain(network, containerId));
  const lines: string[] = [];
  const chains: string[] = [];
  for (const chain of chainsWithComment(saved, networkWords(network), CHAIN)) {
    if (live.includes(chain)) continue;
    for (const jump of jumpsTo(saved, chain)) lines.push(deletion(jump));
    if (hasChain(saved, chain)) chains.push(`-F ${chain}`, `-X ${chain}`);
  }
  return [...lines, ...chains];
}
