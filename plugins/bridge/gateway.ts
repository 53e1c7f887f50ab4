/** The bridge as gateway: what address it has, on which interface, and what the result says of it. */
import { sha512 } from "../../pkg/codec/sha512.ts";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { addAddress, deleteAddress, type LinkAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { createVeth } from "../../pkg/netlink/create-link.ts";
import { changeLink, deleteLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { describeInterface, type Interface, type IpConfig, plainRoute, type Result, type Route } from "../../spec/result.ts";
import { hasPorts } from "./bridge-device.ts";
import type { BridgeConfig } from "./config.ts";
import { addUntaggedVlan, leaveVlans } from "./vlan.ts";

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
    if (!routes.some((route) => route.dst.isDefault && route.dst.family === family)) {
      routes.push(plainRoute(defaultDestination(family), gateway));
    }
  }
  return { interfaces: leased.interfaces, ips, routes, dns: leased.dns };
}

function defaultDestination(family: 4 | 6): Prefix {
  return new Prefix(new Address(new Uint8Array(family === 4 ? 4 : 16)), 0);
}

/**
 * Gives the gateway's addresses to the bridge, or where the network has a VLAN, to an interface in it. Idempotent, also
 * under many at once. The interfaces beside the bridge that now exist: none, or the one of the VLAN.
 * @throws CniError 101 when the bridge has another address and forceAddress is off
 */
export function ensureGateways(host: NetworkStack, bridge: Link, config: BridgeConfig, result: Result, undo: Undo): Interface[] {
  const gateway = config.vlan === 0 ? bridge : ensureVlanGateway(host, bridge, config, undo);
  for (const ip of result.ips) {
    if (ip.gateway === undefined) continue;
    ensureAddress(host, bridge, gateway, new Prefix(ip.gateway, ip.address.length), config, undo);
  }
  return config.vlan === 0 ? [] : [describeInterface(gateway.name, gateway.mac, gateway.mtu)];
}

function ensureAddress(
  host: NetworkStack,
  bridge: Link,
  gateway: Link,
  wanted: Prefix,
  config: BridgeConfig,
  undo: Undo,
): void {
  const others: LinkAddress[] = [];
  for (const have of listAddresses(host, gateway)) {
    if (have.prefix.equals(wanted)) return;
    if (have.prefix.family !== wanted.family) continue;
    // IPv6 addresses coexist unless they overlap; of IPv4 the bridge is to have one.
    if (wanted.family === 4 || have.prefix.overlaps(wanted)) others.push(have);
  }
  for (const other of others) {
    if (!config.forceAddress) throw differentAddress(host, bridge, gateway, other, wanted);
    deleteAddress(host, gateway, other.prefix);
  }
  try {
    addAddress(host, gateway, wanted, { noDad: true });
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
    return;
  }
  undo.push(`remove ${wanted.toString()} from ${gateway.name}`, () => {
    if (!hasPorts(host, bridge)) deleteAddress(host, gateway, wanted);
  });
}

function differentAddress(host: NetworkStack, bridge: Link, gateway: Link, other: LinkAddress, wanted: Prefix): CniError {
  const used = hasPorts(host, bridge) ? "containers are attached to it" : "nothing is attached to it";
  return new CniError(
    ErrorCode.Taken,
    `failed to set bridge addr: "${gateway.name}" already has an IP address different from ${wanted.toString()}: ${other.prefix.toString()}`,
    `${used}; if an older network left the address: ip addr del ${other.prefix.toString()} dev ${gateway.name}, or set forceAddress`,
  );
}

/** `<bridge>.<vlan>`: one end of a pair whose other end is the bridge's port in that VLAN. Never removed by DEL. */
function ensureVlanGateway(host: NetworkStack, bridge: Link, config: BridgeConfig, undo: Undo): Link {
  const name = `${bridge.name}.${config.vlan}`;
  const found = findLink(host, name);
  if (found !== undefined) return found;
  const portName = `veth${sha512(new TextEncoder().encode(name)).slice(0, 8)}`;
  try {
    createVeth(host, { name, mtu: Math.max(0, config.mtu), peer: { name: portName, mac: undefined, namespace: undefined } });
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
    return requireLink(host, name);
  }
  const made = requireLink(host, name);
  undo.push(`remove ${name}`, () => deleteLink(host, made));
  const port = requireLink(host, portName);
  changeLink(host, port, { masterIndex: bridge.index, up: true });
  // Or the gateway would hear, and answer into its own VLAN, what is sent in the default one.
  if (!config.preserveDefaultVlan) leaveVlans(host, port);
  addUntaggedVlan(host, port, config.vlan);
  changeLink(host, made, { up: true });
  return made;
}

function requireLink(host: NetworkStack, name: string): Link {
  const link = findLink(host, name);
  if (link !== undefined) return link;
  throw new CniError(ErrorCode.Io, `Cannot make ${name}: it is not there`, "interface names have at most 15 bytes: shorten the bridge's");
}
