/** The table of port mappings, and its sets and maps, whose elements come and go. The picture is in rules.ts. */
import { textDigest } from "../../pkg/codec/sha512.ts";
import type { Family } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import {
  addressType,
  type DataType,
  interfaceType,
  ipv6Type,
  portType,
  protocolType,
} from "../../pkg/nftables/datum.ts";
import { mapOf, type NftSet, setOf } from "../../pkg/nftables/set.ts";
import type { Table } from "../../pkg/nftables/table.ts";

export const table: Table = { family: "inet", name: "ferrule_portmap" };
export const tableComment = "Ferrule: host ports that lead to containers";

export const families: readonly Family[] = [4, 6];

/** Who has mappings: one element each. */
export const OWNERS = "owners";
/** Mapped IPv4 connections that are masqueraded when they come from localhost. */
export const LOCAL = "local4";
/** Interfaces whose route_localnet is on because of us. */
export const LOCALNET = "localnet";

/** Who a port of the host leads to, whatever the address. */
export function ports(family: Family): string {
  return `ports${family}`;
}
/** Who a port of one address of the host leads to. */
export function addressed(family: Family): string {
  return `addressed${family}`;
}
/** Containers that reach themselves. */
export function self(family: Family): string {
  return `self${family}`;
}
/** Mapped connections that are masqueraded wherever they come from. */
export function all(family: Family): string {
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
  const name = `neighbours${subnet.family}_${textDigest(text, 16)}`;
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
