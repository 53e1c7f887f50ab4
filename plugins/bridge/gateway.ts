/** The bridge as gateway: what address it has, on which interface, and what the result says of it. */

import { Address, type Family } from "../../pkg/ip/address.ts";
import { ZERO_MAC } from "../../pkg/ip/mac.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { requireMtuForSix } from "../../pkg/link/least-mtu.ts";
import { randomMac } from "../../pkg/link/random-mac.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { addAddress, deleteAddress, type LinkAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { addressesAsGiven } from "../../pkg/netlink/address-copy.ts";
import { RT_TABLE_MAIN } from "../../pkg/netlink/headers/rtnetlink.ts";
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import { makeAgain } from "../../pkg/netlink/make-again.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import {
  describeInterface,
  type Interface,
  type IpConfig,
  plainRoute,
  type Result,
  type Route,
} from "../../spec/result.ts";
import { hasPorts, isUsedByOthers } from "./bridge-device.ts";
import type { BridgeConfig } from "./config.ts";
import { whileNobodyJoins } from "./joining.ts";
import { ensureVlanGateway, gatewayName } from "./vlan-gateway.ts";

/**
 * The IPAM result as this network uses it: every address with its gateway and the index of the container's interface, and
 * the default routes that isDefaultGateway asks for. A default route that IPAM gave without gateway counts as one.
 */
export function withGateways(leased: Result, config: BridgeConfig, container: number): Result {
  const ips: IpConfig[] = [];
  const routes: Route[] = [];
  for (const route of leased.routes) routes.push(route);
  for (const ip of leased.ips) {
    const gateway = ip.gateway ?? (config.isGateway ? ip.address.network.next() : undefined);
    ips.push({ address: ip.address, gateway, interface: container });
    if (!config.isDefaultGateway || gateway === undefined) continue;
    const family = ip.address.family;
    if (!routes.some((route) => isDefaultRoute(route, family)))
      routes.push(plainRoute(defaultDestination(family), gateway));
  }
  return { interfaces: leased.interfaces, ips, routes, dns: leased.dns };
}

/** In the main table: one in another table serves only those whom a rule sends there. */
function isDefaultRoute(route: Route, family: Family): boolean {
  return route.dst.isDefault && route.dst.family === family && (route.table ?? RT_TABLE_MAIN) === RT_TABLE_MAIN;
}

function defaultDestination(family: Family): Prefix {
  return new Prefix(new Address(new Uint8Array(family === 4 ? 4 : 16)), 0);
}

/**
 * Gives the gateway's addresses to the bridge, or where the network has a VLAN, to an interface in it. Idempotent, also
 * under many at once. The interfaces beside the bridge that now exist: none, or the one of the VLAN.
 * @throws CniError 101 when the bridge has another address and forceAddress is off, 7 when its MTU is too small for IPv6
 */
export function ensureGateways(
  host: NetworkStack,
  bridge: Link,
  config: BridgeConfig,
  result: Result,
  undo: Undo,
): Interface[] {
  const gateway = config.vlan === 0 ? bridge : ensureVlanGateway(host, bridge, config, undo);
  const wanted = gatewayAddresses(result.ips);
  const have = listAddresses(host, gateway);
  const missing = wanted.filter((each) => !have.some((other) => other.prefix.equals(each)));
  if (missing.some((each) => each.family === 6)) requireMtuForSix(gateway);
  const isUsed = (): boolean => isUsedByOthers(host, bridge, gateway, config.vlan);
  const replaced: LinkAddress[] = [];
  for (const other of have) {
    if (wanted.some((each) => each.equals(other.prefix))) continue;
    const address = missing.find((each) => isInTheWay(other.prefix, each));
    if (address === undefined) continue;
    if (!config.forceAddress) throw differentAddress(host, bridge, gateway, other, address);
    replaced.push(other);
  }
  replaceAddresses(host, gateway, replaced, isUsed, undo);
  for (const address of missing) addGatewayAddress(host, gateway, address, isUsed, undo);
  if (missing.length > 0 && gateway.kind === "bridge") pinMac(host, gateway);
  return config.vlan === 0 ? [] : [describeInterface(gateway.name, gateway.mac, gateway.mtu)];
}

/** Each gateway once, with the length of its subnet. */
function gatewayAddresses(ips: readonly IpConfig[]): Prefix[] {
  const found: Prefix[] = [];
  for (const ip of ips) {
    if (ip.gateway === undefined) continue;
    const address = new Prefix(ip.gateway, ip.address.length);
    if (!found.some((each) => each.equals(address))) found.push(address);
  }
  return found;
}

/** IPv6 addresses coexist unless they overlap; of IPv4 the bridge has those of one network. */
function isInTheWay(other: Prefix, wanted: Prefix): boolean {
  return other.family === wanted.family && (wanted.family === 4 || other.overlaps(wanted));
}

/** Takes addresses away; a failing ADD gives them back as they were, unless others use the new ones by then. */
function replaceAddresses(
  host: NetworkStack,
  gateway: Link,
  addresses: readonly LinkAddress[],
  isUsed: () => boolean,
  undo: Undo,
): void {
  if (addresses.length === 0) return;
  const copies = addressesAsGiven(host, gateway.index).filter(({ address }) =>
    addresses.some((each) => each.prefix.equals(address.prefix)),
  );
  undo.push(`give ${gateway.name} its addresses back`, () => {
    whileNobodyJoins((): void => {
      if (isUsed()) return;
      for (const copy of copies) makeAgain(host, copy.addition());
    });
  });
  // With the first of a subnet the kernel takes the others.
  for (const { prefix } of addresses) deleteAddress(host, gateway, prefix);
}

function addGatewayAddress(host: NetworkStack, gateway: Link, wanted: Prefix, isUsed: () => boolean, undo: Undo): void {
  let isOurs = true;
  undo.push(`remove ${wanted.toString()} from ${gateway.name}`, () => {
    if (!isOurs) return;
    whileNobodyJoins((): void => {
      if (!isUsed()) deleteAddress(host, gateway, wanted);
    });
  });
  try {
    addAddress(host, gateway, wanted, { noDad: true });
  } catch (error) {
    isOurs = false;
    // Another ADD was faster.
    if (isKernelError(error, "EEXIST")) return;
    if (wanted.family === 6 && isKernelError(error, "EACCES")) throw sixIsOff(gateway, wanted);
    throw error;
  }
}

function sixIsOff(gateway: Link, wanted: Prefix): CniError {
  return new CniError(
    ErrorCode.Io,
    `Cannot give ${wanted.toString()} to ${gateway.name}: IPv6 is switched off there (net.ipv6.conf.${gateway.name}.disable_ipv6)`,
    "switch IPv6 on, or take the IPv6 range out of ipam",
  );
}

/** An address set by somebody stays; otherwise a bridge takes its ports', which come and go. One made by us has its own already. */
function pinMac(host: NetworkStack, bridge: Link): void {
  const mac = findLink(host, bridge.name)?.mac ?? "";
  // Zero is what a bridge has that lost its last port and never had an address of its own.
  changeLink(host, bridge, { mac: mac === "" || mac === ZERO_MAC ? randomMac() : mac });
}

function differentAddress(
  host: NetworkStack,
  bridge: Link,
  gateway: Link,
  other: LinkAddress,
  wanted: Prefix,
): CniError {
  const used = hasPorts(host, bridge) ? "containers are attached to it" : "nothing is attached to it";
  return new CniError(
    ErrorCode.Taken,
    `failed to set bridge addr: "${gateway.name}" already has an IP address different from ${wanted.toString()}: ${other.prefix.toString()}`,
    `${used}; if an older network left the address: ip addr del ${other.prefix.toString()} dev ${gateway.name}, or set forceAddress`,
  );
}

/** @throws CniError 102 when a gateway's address is missing, or what has it is down */
export function verifyGateways(host: NetworkStack, bridge: Link, config: BridgeConfig, ips: readonly IpConfig[]): void {
  const name = gatewayName(bridge, config);
  const gateway = findLink(host, name);
  if (gateway === undefined) throw drift(`gateway interface ${name} is missing`);
  if (!gateway.up) throw drift(`gateway interface ${name} is down`, `bring it up: ip link set ${name} up`);
  const have = listAddresses(host, gateway);
  for (const wanted of gatewayAddresses(ips)) {
    if (have.some((each) => each.prefix.address.equals(wanted.address))) continue;
    throw drift(
      `gateway address ${wanted.toString()} is missing on ${name}`,
      `ip addr add ${wanted.toString()} dev ${name}`,
    );
  }
}
