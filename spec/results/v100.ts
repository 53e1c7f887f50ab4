/** Results of 1.0.0 and 1.1.0. Members are declared in the order they print: by name. */
import type { JsonObject } from "../json.ts";
import type { Interface, IpConfig, Result } from "../result.ts";
import {
  addressAt,
  type DnsDocument,
  dnsAt,
  dnsDocument,
  isEmptyDns,
  numberAt,
  objectsAt,
  prefixAt,
  type RouteDocument,
  routeDocument,
  routesAt,
  textAt,
} from "./members.ts";

export interface InterfaceDocument100 {
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
  readonly name: string;
  readonly pciID?: string | undefined;
  readonly sandbox?: string | undefined;
  readonly socketPath?: string | undefined;
}

export interface IpDocument100 {
  readonly address: string;
  readonly gateway?: string | undefined;
  readonly interface?: number | undefined;
}

export interface ResultDocument100 {
  readonly cniVersion: string;
  readonly dns?: DnsDocument | undefined;
  readonly interfaces?: readonly InterfaceDocument100[] | undefined;
  readonly ips?: readonly IpDocument100[] | undefined;
  readonly routes?: readonly RouteDocument[] | undefined;
}

/**
 * Under either label the same document: 1.0.0's readers pass over the members that 1.1.0 added, and those who chain
 * plugins lose nothing, as in the reference.
 */
export function render100(result: Result, version: string): ResultDocument100 {
  const interfaces: InterfaceDocument100[] = [];
  for (const each of result.interfaces) interfaces.push(interfaceDocument(each));
  const ips: IpDocument100[] = [];
  for (const ip of result.ips) {
    ips.push({ address: ip.address.toString(), gateway: ip.gateway?.toString(), interface: ip.interface });
  }
  const routes: RouteDocument[] = [];
  for (const route of result.routes) routes.push(routeDocument(route));
  return {
    cniVersion: version,
    dns: isEmptyDns(result.dns) ? undefined : dnsDocument(result.dns),
    interfaces: interfaces.length === 0 ? undefined : interfaces,
    ips: ips.length === 0 ? undefined : ips,
    routes: routes.length === 0 ? undefined : routes,
  };
}

function interfaceDocument(each: Interface): InterfaceDocument100 {
  return {
    mac: each.mac === "" ? undefined : each.mac,
    mtu: each.mtu === 0 ? undefined : each.mtu,
    name: each.name,
    pciID: each.pciID === "" ? undefined : each.pciID,
    sandbox: each.sandbox === "" ? undefined : each.sandbox,
    socketPath: each.socketPath === "" ? undefined : each.socketPath,
  };
}

export function parse100(object: JsonObject, path: string): Result {
  return {
    interfaces: parseInterfaces(object, path),
    ips: parseIps(object, path),
    routes: routesAt(object, path),
    dns: dnsAt(object, path),
  };
}

/** Also 0.3 and 0.4's, whose interfaces lack the newer members. */
export function parseInterfaces(object: JsonObject, path: string): Interface[] {
  const interfaces: Interface[] = [];
  for (const member of objectsAt(object, "interfaces", path)) {
    const at = `${path}.interfaces[${interfaces.length}]`;
    interfaces.push({
      name: textAt(member, "name", at),
      mac: textAt(member, "mac", at),
      mtu: numberAt(member, "mtu", at) ?? 0,
      sandbox: textAt(member, "sandbox", at),
      socketPath: textAt(member, "socketPath", at),
      pciID: textAt(member, "pciID", at),
    });
  }
  return interfaces;
}

/** Also 0.3 and 0.4's, whose `version` says nothing that the address does not. */
export function parseIps(object: JsonObject, path: string): IpConfig[] {
  const ips: IpConfig[] = [];
  for (const member of objectsAt(object, "ips", path)) {
    const at = `${path}.ips[${ips.length}]`;
    ips.push({
      address: prefixAt(member, "address", at),
      gateway: addressAt(member, "gateway", at),
      interface: numberAt(member, "interface", at),
    });
  }
  return ips;
}
