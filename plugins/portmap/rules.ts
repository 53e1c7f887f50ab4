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
import { sha512 } from "../../pkg/codec/sha512.ts";
import { Address, type Family } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { baseChain, type Chain, regularChain } from "../../pkg/nftables/chain.ts";
import {
  addressDatum,
  addressType,
  type DataType,
  type Datum,
  interfaceDatum,
  interfaceType,
  ipv6Type,
  portDatum,
  portType,
  protocolDatum,
  protocolType,
} from "../../pkg/nftables/datum.ts";
import { type Element, element, mapping as mapElement } from "../../pkg/nftables/element.ts";
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
import { mapOf, type NftSet, setOf } from "../../pkg/nftables/set.ts";
import { drop, jump, returnToCaller } from "../../pkg/nftables/statement.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { protocolNumber, specificAddress, type Target } from "./targets.ts";

export const table: Table = { family: "inet", name: "ferrule_portmap" };
export const tableComment = "Ferrule: host ports that lead to containers";

const families: readonly Family[] = [4, 6];

/** A chain with the rules that never change. */
export interface StandingChain {
  readonly chain: Chain;
  readonly rules: readonly Rule[];
}

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
  const localhost = new Prefix(new Address(new Uint8Array([127, 0, 0, 0])), 8);
  rules.push(rule([within(ip4Source, localhost), inSet(mappedKey(4), LOCAL), masquerade()]));
  rules.push(rule([jump(neighboursChain)]));
  return { chain: regularChain("masquerading"), rules };
}

/** route_localnet, which lets the host's own connections out, would let others' packets to localhost in. */
function guard(): StandingChain {
  const localhost = new Prefix(new Address(new Uint8Array([127, 0, 0, 0])), 8);
  return {
    chain: baseChain("guard", { type: "filter", hook: "prerouting", priority: -300, policy: "accept" }),
    rules: [rule([differs(inputInterface, interfaceDatum("lo")), within(ip4Destination, localhost), drop()])],
  };
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

/** Who has mappings: one element each. */
export const OWNERS = "owners";
const LOCAL = "local4";
/** Interfaces whose route_localnet is on because of us. */
export const LOCALNET = "localnet";

function ports(family: Family): string {
  return `ports${family}`;
}
function addressed(family: Family): string {
  return `addressed${family}`;
}
function self(family: Family): string {
  return `self${family}`;
}
function all(family: Family): string {
  return `all${family}`;
}

/** Every set and map that is always there. */
export function standingSets(): NftSet[] {
  const sets = [
    setOf(OWNERS, [ipv6Type], "attachments with mappings, by a hash"),
    setOf(LOCALNET, [interfaceType], "interfaces whose route_localnet is on"),
    setOf(LOCAL, mappedType(4), "masqueraded when it comes from localhost"),
  ];
  for (const family of families) {
    const address = addressType(family);
    sets.push(mapOf(ports(family), [protocolType, portType], [address, portType]));
    sets.push(mapOf(addressed(family), [address, protocolType, portType], [address, portType]));
    sets.push(setOf(self(family), [address, address], "containers that reach themselves"));
    sets.push(setOf(all(family), mappedType(family), "masqueraded wherever it comes from"));
  }
  return sets;
}

function mappedType(family: Family): DataType[] {
  return [addressType(family), protocolType, portType, portType];
}

/** The set of a subnet's mapped connections that are masqueraded when they come from the subnet. */
export function neighbourSet(subnet: Prefix): NftSet {
  const text = subnet.masked.toString();
  const name = `neighbours${subnet.family}_${sha512(new TextEncoder().encode(text)).slice(0, 16)}`;
  return setOf(name, mappedType(subnet.family), `masqueraded when it comes from ${text}`);
}

/** Whether a set is a subnet's, by its name. */
export function isNeighbourSet(name: string): boolean {
  return name.startsWith("neighbours");
}

/** Whether elements of the set say who a port of the host leads to. */
export function holdsPorts(set: string): boolean {
  return set === ports(4) || set === ports(6) || set === addressed(4) || set === addressed(6);
}

/** An element and the set that it is for. */
export interface Placed {
  readonly set: string;
  readonly element: Element;
}

/** What the options say about masquerading. */
export interface MasqueradeOptions {
  readonly snat: boolean;
  readonly masqAll: boolean;
}

/** The owner's own element: 16 bytes of hash. `identity` is kept with it, see identity.ts. */
export function ownerElement(attachment: Attachment, identity: string): Placed {
  return {
    set: OWNERS,
    element: element([ownerDatum(attachment.key)], {
      comment: attachment.tag,
      own: new TextEncoder().encode(identity),
    }),
  };
}

/** The element of an owner by the key that tags begin with: to be looked up. */
export function ownerKey(key: string): Placed {
  return { set: OWNERS, element: element([ownerDatum(key)]) };
}

/** The two hashes of a tag's key, `<16 hex>-<16 hex>`, as bytes. */
function ownerDatum(key: string): Datum {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const digits = key.slice(0, 16) + key.slice(17, 33);
  const digit = (at: number): number => Math.max(0, "0123456789abcdef".indexOf(digits.charAt(at)));
  for (let at = 0; at < 16; at++) view.setUint8(at, digit(at * 2) * 16 + digit(at * 2 + 1));
  return { text: key, bytes };
}

/** An interface whose route_localnet we turned on. */
export function localnetElement(name: string): Element {
  return element([interfaceDatum(name)]);
}

/** The map's element of a mapping without conditions. */
export function portElement(target: Target, tag: string): Placed {
  const { mapping, container } = target;
  const key = [protocolDatum(protocolNumber(mapping.protocol)), portDatum(mapping.hostPort)];
  const data = [addressDatum(container.address), portDatum(mapping.containerPort)];
  const address = specificAddress(mapping);
  if (address === undefined) return { set: ports(container.family), element: mapElement(key, data, { comment: tag }) };
  return {
    set: addressed(container.family),
    element: mapElement([addressDatum(address), ...key], data, { comment: tag }),
  };
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

/** What makes the mappings' connections masqueraded where they must be. */
export function masqueradeElements(targets: readonly Target[], options: MasqueradeOptions, tag: string): Placed[] {
  const placed: Placed[] = [];
  const keys: string[] = [];
  const add = (set: string, key: readonly Datum[]): void => {
    const each: Placed = { set, element: element(key, { comment: tag }) };
    const text = `${set} ${each.element.key.text}`;
    if (!keys.includes(text)) placed.push(each);
    keys.push(text);
  };
  if (!options.snat) return placed;
  for (const { mapping, container } of targets) {
    const address = addressDatum(container.address);
    const protocol = protocolDatum(protocolNumber(mapping.protocol));
    const mapped = [address, protocol, portDatum(mapping.containerPort), portDatum(mapping.hostPort)];
    if (options.masqAll) {
      add(all(container.family), mapped);
      continue;
    }
    add(self(container.family), [address, address]);
    if (container.family === 4) add(LOCAL, mapped);
    if (container.length < container.address.bits) add(neighbourSet(container).name, mapped);
  }
  return placed;
}

/** The subnets that masqueradeElements() needs sets for. */
export function neighbourSubnets(targets: readonly Target[], options: MasqueradeOptions): Prefix[] {
  const subnets: Prefix[] = [];
  if (!options.snat || options.masqAll) return subnets;
  for (const { container } of targets) {
    if (container.length === container.address.bits) continue;
    if (!subnets.some((each) => each.equals(container.masked))) subnets.push(container.masked);
  }
  return subnets;
}
