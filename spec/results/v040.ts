/** Results of 0.3.0, 0.3.1 and 0.4.0: every address names its version, and dns is always there. */
import type { JsonObject } from "../json.ts";
import type { Result } from "../result.ts";
import { type DnsDocument, dnsAt, dnsDocument, type RouteDocument, routeDocument, routesAt } from "./members.ts";
import { parseInterfaces, parseIps } from "./v100.ts";

interface InterfaceDocument040 {
  readonly name: string;
  readonly mac?: string | undefined;
  readonly sandbox?: string | undefined;
}

interface IpDocument040 {
  readonly version: string;
  readonly interface?: number | undefined;
  readonly address: string;
  readonly gateway?: string | undefined;
}

export interface ResultDocument040 {
  readonly cniVersion: string;
  readonly interfaces?: readonly InterfaceDocument040[] | undefined;
  readonly ips?: readonly IpDocument040[] | undefined;
  readonly routes?: readonly RouteDocument[] | undefined;
  readonly dns: DnsDocument;
}

export function render040(result: Result, version: string): ResultDocument040 {
  const interfaces: InterfaceDocument040[] = [];
  for (const each of result.interfaces) {
    interfaces.push({
      name: each.name,
      mac: each.mac === "" ? undefined : each.mac,
      sandbox: each.sandbox === "" ? undefined : each.sandbox,
    });
  }
  const ips: IpDocument040[] = [];
  for (const ip of result.ips) {
    ips.push({
      version: ip.address.family === 4 ? "4" : "6",
      interface: ip.interface,
      address: ip.address.toString(),
      gateway: ip.gateway?.toString(),
    });
  }
  const routes: RouteDocument[] = [];
  for (const route of result.routes) routes.push(routeDocument(route));
  return {
    cniVersion: version,
    interfaces: interfaces.length === 0 ? undefined : interfaces,
    ips: ips.length === 0 ? undefined : ips,
    routes: routes.length === 0 ? undefined : routes,
    dns: dnsDocument(result.dns),
  };
}

export function parse040(object: JsonObject, path: string): Result {
  const interfaces = parseInterfaces(object, path);
  return { interfaces, ips: parseIps(object, path), routes: routesAt(object, path), dns: dnsAt(object, path) };
}
