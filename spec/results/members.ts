/** What all three result shapes share: reading members of a result, and the dns object. */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { CniError, ErrorCode } from "../errors.ts";
import { JsonObject, kindOf } from "../json.ts";
import type { Dns, Route } from "../result.ts";

/** The code-6 error of a result; `path` is where in it. */
function undecodable(path: string, reason: string): CniError {
  return new CniError(
    ErrorCode.Decode,
    `cannot decode ${path}: ${reason}`,
    "a result must be as the plugin before printed it, in the shape that the specification gives its cniVersion",
  );
}

function wrong(path: string, wanted: string, found: unknown): CniError {
  return undecodable(path, `expected ${wanted}, found ${kindOf(found)}`);
}

/** What is no object where a result should be. @throws CniError 6 */
export function resultObject(value: unknown, subject: string): JsonObject {
  const object = JsonObject.of(value);
  if (object === undefined) throw wrong(subject, "an object", value);
  return object;
}

/** A string member; absent is empty. @throws CniError 6 */
export function textAt(object: JsonObject, name: string, path: string): string {
  const value = object.get(name);
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  throw wrong(`${path}.${name}`, "a string", value);
}

/** An integer member. @throws CniError 6 */
export function numberAt(object: JsonObject, name: string, path: string): number | undefined {
  const value = object.get(name);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw wrong(`${path}.${name}`, "an integer", value);
}

/** An object member. @throws CniError 6 */
export function objectAt(object: JsonObject, name: string, path: string): JsonObject | undefined {
  const value = object.get(name);
  if (value === undefined) return undefined;
  const member = JsonObject.of(value);
  if (member === undefined) throw wrong(`${path}.${name}`, "an object", value);
  return member;
}

/** A list of objects; absent is empty. @throws CniError 6 */
export function objectsAt(object: JsonObject, name: string, path: string): JsonObject[] {
  const value = object.get(name);
  const objects: JsonObject[] = [];
  if (value === undefined) return objects;
  if (!Array.isArray(value)) throw wrong(`${path}.${name}`, "a list", value);
  for (const item of value as unknown[]) {
    const member = JsonObject.of(item);
    if (member === undefined) throw wrong(`${path}.${name}[${objects.length}]`, "an object", item);
    objects.push(member);
  }
  return objects;
}

function textsAt(object: JsonObject, name: string, path: string): string[] {
  const value = object.get(name);
  const texts: string[] = [];
  if (value === undefined) return texts;
  if (!Array.isArray(value)) throw wrong(`${path}.${name}`, "a list", value);
  for (const item of value as unknown[]) {
    if (typeof item !== "string") throw wrong(`${path}.${name}[${texts.length}]`, "a string", item);
    texts.push(item);
  }
  return texts;
}

/** An address member; absent and empty are the same. @throws CniError 6 */
export function addressAt(object: JsonObject, name: string, path: string): Address | undefined {
  const text = textAt(object, name, path);
  if (text === "") return undefined;
  const address = Address.parse(text);
  if (address === undefined) throw undecodable(`${path}.${name}`, `invalid IP address "${text}"`);
  return address;
}

/** An address with the length of its prefix, which must be there. @throws CniError 6 */
export function prefixAt(object: JsonObject, name: string, path: string): Prefix {
  const text = textAt(object, name, path);
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw undecodable(`${path}.${name}`, `invalid CIDR address "${text}"`);
  return prefix;
}

/** The member `routes`; absent is empty. @throws CniError 6 */
export function routesAt(object: JsonObject, path: string): Route[] {
  const routes: Route[] = [];
  for (const member of objectsAt(object, "routes", path)) {
    const at = `${path}.routes[${routes.length}]`;
    routes.push({
      dst: prefixAt(member, "dst", at),
      gw: addressAt(member, "gw", at),
      mtu: numberAt(member, "mtu", at) ?? 0,
      advmss: numberAt(member, "advmss", at) ?? 0,
      priority: numberAt(member, "priority", at) ?? 0,
      table: numberAt(member, "table", at),
      scope: numberAt(member, "scope", at),
    });
  }
  return routes;
}

/** The member `dns`; absent is empty. @throws CniError 6 */
export function dnsAt(object: JsonObject, path: string): Dns {
  const dns = objectAt(object, "dns", path);
  if (dns === undefined) return { nameservers: [], domain: "", search: [], options: [] };
  const at = `${path}.dns`;
  return {
    nameservers: textsAt(dns, "nameservers", at),
    domain: textAt(dns, "domain", at),
    search: textsAt(dns, "search", at),
    options: textsAt(dns, "options", at),
  };
}

/** The dns object as documents carry it: empty members left out. */
export interface DnsDocument {
  readonly domain?: string | undefined;
  readonly nameservers?: readonly string[] | undefined;
  readonly options?: readonly string[] | undefined;
  readonly search?: readonly string[] | undefined;
}

/** The dns object as it is printed. */
export function dnsDocument(dns: Dns): DnsDocument {
  return {
    domain: dns.domain === "" ? undefined : dns.domain,
    nameservers: dns.nameservers.length === 0 ? undefined : dns.nameservers,
    options: dns.options.length === 0 ? undefined : dns.options,
    search: dns.search.length === 0 ? undefined : dns.search,
  };
}

/** Whether it says nothing. */
export function isEmptyDns(dns: Dns): boolean {
  return dns.domain === "" && dns.nameservers.length + dns.search.length + dns.options.length === 0;
}

/** A route as documents carry it: zero values left out, table and scope whenever set. */
export interface RouteDocument {
  readonly advmss?: number | undefined;
  readonly dst: string;
  readonly gw?: string | undefined;
  readonly mtu?: number | undefined;
  readonly priority?: number | undefined;
  readonly scope?: number | undefined;
  readonly table?: number | undefined;
}

/** A route as it is printed. */
export function routeDocument(route: Route): RouteDocument {
  return {
    advmss: route.advmss === 0 ? undefined : route.advmss,
    dst: route.dst.toString(),
    gw: route.gw?.toString(),
    mtu: route.mtu === 0 ? undefined : route.mtu,
    priority: route.priority === 0 ? undefined : route.priority,
    scope: route.scope,
    table: route.table,
  };
}
