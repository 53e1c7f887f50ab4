/** Results of 0.1.0 and 0.2.0: at most one address of each family, routes beside their address, no interfaces. */
import type { Family } from "../../pkg/ip/address.ts";
import { CniError, ErrorCode } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { IpConfig, Result, Route } from "../result.ts";
import { addressAt, type DnsDocument, dnsAt, dnsDocument, objectAt, prefixAt, routesAt } from "./members.ts";

interface RouteDocument020 {
  readonly dst: string;
  readonly gw?: string | undefined;
}

interface IpDocument020 {
  readonly ip: string;
  readonly gateway?: string | undefined;
  readonly routes?: readonly RouteDocument020[] | undefined;
}

export interface ResultDocument020 {
  readonly cniVersion: string;
  readonly ip4?: IpDocument020 | undefined;
  readonly ip6?: IpDocument020 | undefined;
  readonly dns: DnsDocument;
}

/** @throws CniError 1 when there is no address at all: this shape cannot say that */
export function render020(result: Result, version: string): ResultDocument020 {
  const ip4 = familyDocument(result, 4);
  const ip6 = familyDocument(result, 6);
  if (ip4 === undefined && ip6 === undefined) {
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      "cannot convert: no valid IP addresses",
      `results of version ${version} must have an address: use cniVersion 0.3.0 or newer`,
    );
  }
  return { cniVersion: version, ip4, ip6, dns: dnsDocument(result.dns) };
}

/** The first address of a family with the routes of that family. */
function familyDocument(result: Result, family: Family): IpDocument020 | undefined {
  const first = result.ips.find((ip) => ip.address.family === family);
  if (first === undefined) return undefined;
  const routes: RouteDocument020[] = [];
  for (const route of result.routes) {
    if (route.dst.family === family) routes.push({ dst: route.dst.toString(), gw: route.gw?.toString() });
  }
  return {
    ip: first.address.toString(),
    gateway: first.gateway?.toString(),
    routes: routes.length === 0 ? undefined : routes,
  };
}

export function parse020(object: JsonObject, path: string): Result {
  const ips: IpConfig[] = [];
  const routes: Route[] = [];
  for (const name of ["ip4", "ip6"]) {
    const member = objectAt(object, name, path);
    if (member === undefined) continue;
    const at = `${path}.${name}`;
    ips.push({ address: prefixAt(member, "ip", at), gateway: addressAt(member, "gateway", at), interface: undefined });
    for (const route of routesAt(member, at)) routes.push(route);
  }
  return { interfaces: [], ips, routes, dns: dnsAt(object, path) };
}
