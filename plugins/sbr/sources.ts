/**
 * The addresses whose packets are to leave by the interface, in groups that share a routing table: one way out for each family.
 * Pure. Used by sbr.ts.
 */
import type { Address, Family } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import { invalidConfig } from "../../spec/errors.ts";
import { ipsOf, type Result } from "../../spec/result.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** An address of the interface. */
export interface Source {
  readonly prefix: Prefix;
  /** Of the configuration, else of IPAM; `undefined` when neither says one. */
  readonly gateway: Address | undefined;
  /** The gateway is the configuration's. */
  readonly isChosen: boolean;
}

/** Addresses that share a table. */
export interface Group {
  readonly sources: readonly Source[];
}

/** @throws CniError 7 when the result has none */
export function sourcesOf(result: Result, ifName: string, gateways: readonly Address[]): Source[] {
  const sources: Source[] = [];
  for (const ip of ipsOf(result, ifName)) {
    const chosen = gateways.find((gateway) => gateway.family === ip.address.family);
    const given = ip.gateway === undefined || ip.gateway.isUnspecified ? undefined : ip.gateway;
    sources.push({ prefix: ip.address, gateway: chosen ?? given, isChosen: chosen !== undefined });
  }
  if (sources.length > 0) return sources;
  throw invalidConfig(
    `No IP addresses supplied on interface: ${ifName}`,
    "source based routing needs addresses: give the plugin before sbr an IPAM",
  );
}

/** An address joins the first group in which its family has no other way out. */
export function groupsOf(sources: readonly Source[]): Group[] {
  const groups: Source[][] = [];
  for (const source of sources) {
    const fitting = groups.find((group) => group.every((other) => getAlong(other, source)));
    if (fitting === undefined) groups.push([source]);
    else fitting.push(source);
  }
  const result: Group[] = [];
  for (const group of groups) result.push({ sources: group });
  return result;
}

function getAlong(one: Source, other: Source): boolean {
  if (one.prefix.family !== other.prefix.family) return true;
  if (one.gateway === undefined || other.gateway === undefined) return one.gateway === other.gateway;
  return one.gateway.equals(other.gateway);
}

/** The families that addresses of a group have. */
export function familiesOf(sources: readonly Source[]): Family[] {
  return FAMILIES.filter((family: Family): boolean => sources.some((source) => source.prefix.family === family));
}

/** What a route says about whose it is. */
export interface RouteNames {
  readonly family: Family;
  /** The address that packets get by it. */
  readonly source: Address | undefined;
  readonly gateways: readonly Address[];
}

/** Whether the route names this address, its subnet, or its gateway. */
function claims(source: Source, route: RouteNames): boolean {
  const { prefix, gateway } = source;
  if (route.source !== undefined) return prefix.contains(route.source);
  return route.gateways.some((each) => prefix.contains(each) || (gateway?.equals(each) ?? false));
}

/** Whether a route of the interface is of use to the group: it is the group's, or it is nobody's of that family. */
export function isOfUse(route: RouteNames, group: Group, all: readonly Source[]): boolean {
  if (!group.sources.some((source) => source.prefix.family === route.family)) return false;
  if (group.sources.some((source) => claims(source, route))) return true;
  return !all.some((source) => claims(source, route));
}
