/** The result of ADD in its newest shape (1.1.0): the only one plugins speak. Older shapes: results/ and convert.ts. */
import type { Address } from "../pkg/ip/address.ts";
import type { Prefix } from "../pkg/ip/prefix.ts";

/** A network interface that ADD made or changed. */
export interface Interface {
  readonly name: string;
  /** Hardware address; empty when it has none. */
  readonly mac: string;
  /** Bytes; 0 when unknown. */
  readonly mtu: number;
  /** The sandbox's CNI_NETNS; empty for an interface of the host. */
  readonly sandbox: string;
  readonly socketPath: string;
  readonly pciID: string;
}

/** An address given to an interface. */
export interface IpConfig {
  readonly address: Prefix;
  readonly gateway: Address | undefined;
  /** Index into `interfaces`; IPAM plugins leave it out. */
  readonly interface: number | undefined;
}

/** A route in the sandbox. */
export interface Route {
  readonly dst: Prefix;
  readonly gw: Address | undefined;
  /** Bytes; 0 when not set. */
  readonly mtu: number;
  /** TCP's maximal segment in bytes; 0 when not set. */
  readonly advmss: number;
  readonly priority: number;
  readonly table: number | undefined;
  /** rt_scope_t: 0 global, 253 link, 254 host. */
  readonly scope: number | undefined;
}

export interface Dns {
  readonly nameservers: readonly string[];
  readonly domain: string;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface Result {
  readonly interfaces: readonly Interface[];
  readonly ips: readonly IpConfig[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

/** The interface that an address is on; `undefined` where its index is left out or leads nowhere. */
export function interfaceOf(result: Result, ip: IpConfig): Interface | undefined {
  return ip.interface === undefined || ip.interface < 0 ? undefined : result.interfaces.at(ip.interface);
}

/** The addresses that are not another interface's. An index that leads nowhere is no other interface's, as in the reference. */
export function ipsOf(result: Result, ifName: string): IpConfig[] {
  return result.ips.filter((ip: IpConfig): boolean => {
    const owner = interfaceOf(result, ip);
    return owner === undefined || owner.name === ifName;
  });
}

export const noDns: Dns = { nameservers: [], domain: "", search: [], options: [] };
export const emptyResult: Result = { interfaces: [], ips: [], routes: [], dns: noDns };

/** An interface of the host, or of the sandbox when `sandbox` is given. */
export function describeInterface(name: string, mac: string, mtu: number, sandbox = ""): Interface {
  return { name, mac, mtu, sandbox, socketPath: "", pciID: "" };
}

/** A route with nothing but destination and gateway. */
export function plainRoute(dst: Prefix, gw: Address | undefined): Route {
  return { dst, gw, mtu: 0, advmss: 0, priority: 0, table: undefined, scope: undefined };
}
