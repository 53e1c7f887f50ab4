/** The keys of static, all below `ipam` but for what the runtime and `args` ask for. */
import type { Address } from "../../pkg/ip/address.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import { addressFormat, prefixFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";
import type { Dns, Route } from "../../spec/result.ts";
import { readRoutes } from "../../spec/route-keys.ts";

/** An address to give, with its prefix length, and the gateway to tell. */
export interface StaticAddress {
  readonly address: Prefix;
  readonly gateway: Address | undefined;
}

export interface StaticConfig {
  /** `ipam.addresses` */
  readonly addresses: readonly StaticAddress[];
  /** What replaces them all: `runtimeConfig.ips`, or else `args.cni.ips`; `undefined` where neither has any. */
  readonly replacement: readonly StaticAddress[] | undefined;
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

interface IpamKeys {
  readonly addresses: readonly StaticAddress[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

export function config(keys: Keys): StaticConfig {
  if (!keys.has("ipam"))
    keys.refuse("IPAM config missing 'ipam' key", "", "static is an IPAM plugin: its keys are in ipam");
  const ipam = keys.members("ipam", ipamKeys, "the IPAM plugin's own configuration");
  const args = keys.members("args", argsKeys, "wishes of the runtime");
  const runtime = keys.members("runtimeConfig", ipsKeys, "what capabilities bring");
  const chosen = runtime.length > 0 ? runtime : args;
  return { ...ipam, replacement: chosen.length > 0 ? withoutGateways(chosen) : undefined };
}

function ipamKeys(keys: Keys): IpamKeys {
  keys.text("type", "static", "static");
  const addresses: StaticAddress[] = [];
  for (const each of keys.list("addresses", addressKeys, "the addresses to give")) {
    if (each !== undefined) addresses.push(each);
  }
  return { addresses, routes: readRoutes(keys), dns: keys.members("dns", dnsKeys, "goes into the result as it is") };
}

function addressKeys(keys: Keys): StaticAddress | undefined {
  const address = keys.optional("address", prefixFormat, "address with its prefix length");
  const gateway = keys.optional("gateway", addressFormat, "told as the address's gateway");
  if (address !== undefined) return { address, gateway };
  if (!keys.has("address")) keys.refuse("missing: expected an address in CIDR notation", "address");
  return undefined;
}

function dnsKeys(keys: Keys): Dns {
  return {
    nameservers: keys.texts("nameservers", "addresses of name servers"),
    domain: keys.text("domain", "", "local domain"),
    search: keys.texts("search", "domains to search"),
    options: keys.texts("options", "resolver options"),
  };
}

function argsKeys(keys: Keys): Prefix[] {
  return keys.members("cni", ipsKeys, "the conventional part of args");
}

function ipsKeys(keys: Keys): Prefix[] {
  return keys.formatted("ips", prefixFormat, "addresses with prefix lengths that replace all others");
}

function withoutGateways(prefixes: readonly Prefix[]): StaticAddress[] {
  const addresses: StaticAddress[] = [];
  for (const address of prefixes) addresses.push({ address, gateway: undefined });
  return addresses;
}
