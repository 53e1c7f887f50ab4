/**
 * ptp: a routed link of its own between the host and each container; containers meet nowhere but in the host's routing.
 *
 *   sandbox[eth0 10.1.0.5/24]──veth──[10.1.0.1/32]host──route 10.1.0.5/32──forward, masquerade──▶ the world
 */

import { Prefix } from "../../pkg/ip/prefix.ts";
import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { collectAddresses, removeThenRelease, requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { enableForwarding, requireForwarding, verifyForwarding } from "../../pkg/link/forwarding.ts";
import { requireLeastMtu } from "../../pkg/link/least-mtu.ts";
import { awaitOperational } from "../../pkg/link/operational.ts";
import {
  collectPairs,
  connectVeth,
  otherEnd,
  removePair,
  requireFreeName,
  type VethPair,
} from "../../pkg/link/veth.ts";
import {
  collectMasquerade,
  ensureMasquerade,
  removeMasquerade,
  verifyMasquerade,
} from "../../pkg/masquerade/masquerade.ts";
import { requireMasquerade } from "../../pkg/masquerade/readiness.ts";
import { addAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_TABLE_MAIN } from "../../pkg/netlink/headers/rtnetlink.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { addRoute, deleteRoute, listRoutes, type RouteSpec } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import { describeInterface, type IpConfig, ipsOf, type Result } from "../../spec/result.ts";
import { config, type PtpConfig } from "./config.ts";

/** Index of the container's end in the result's interfaces: host's end, container's end. */
const CONTAINER = 1;

export function ptp(): Plugin {
  return definePlugin({ type: "ptp", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, delegates, host, sandbox, undo }: Add<PtpConfig>): Result {
  requireLeastMtu(config.mtu);
  requireFreeName(host, sandbox.stack, attachment);
  const leased = requestAddresses(delegates, config.ipamType, undo);
  requireGateways(leased);
  const options = { mtu: config.mtu, mac: undefined, masterIndex: undefined };
  const pair = connectVeth(host, sandbox.stack, attachment, options, undo);
  const result = describe(pair, leased, sandbox.path);
  // Both ends are ours: nobody else can have the address on this link.
  configureInterface(sandbox.stack, pair.container, result, { detectDuplicates: false });
  routeThroughHost(sandbox.stack, pair.container, result.ips);
  answerAsGateway(host, pair.host, result.ips);
  if (config.ipMasq) ensureMasquerade(host, config.ipMasqBackend, attachment, result.ips, undo);
  enableForwarding(host, result.ips);
  awaitOperational(host, pair.host, "host's end");
  return withDns(result, config.dns);
}

function requireGateways(leased: Result): void {
  for (const ip of leased.ips) {
    if (ip.gateway !== undefined) continue;
    throw invalidConfig(
      `ptp: address ${ip.address.toString()} has no gateway, and the container reaches everything through one`,
      "give the address or range a gateway in ipam",
    );
  }
}

function describe(pair: VethPair, leased: Result, sandboxPath: string): Result {
  const ips: IpConfig[] = [];
  for (const ip of leased.ips) ips.push({ address: ip.address, gateway: ip.gateway, interface: CONTAINER });
  const interfaces = [
    describeInterface(pair.host.name, pair.host.mac, pair.host.mtu),
    describeInterface(pair.container.name, pair.container.mac, pair.container.mtu, sandboxPath),
  ];
  return { interfaces, ips, routes: leased.routes, dns: leased.dns };
}

/**
 * The subnet is not on the link but behind the gateway, so the container asks for nobody's hardware address but the gateway's:
 *   10.1.0.1 dev eth0 scope link src 10.1.0.5        10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.5
 */
function routeThroughHost(sandbox: NetworkStack, container: Link, ips: readonly IpConfig[]): void {
  for (const { address } of ips) removeConnectedRoute(sandbox, container, address);
  for (const route of containerRoutes(container, ips)) addRoute(sandbox, route, "create");
}

/** The routes of the container beside IPAM's; several addresses may share a gateway, and a subnet. */
function containerRoutes(container: Link, ips: readonly IpConfig[]): RouteSpec[] {
  const routes: RouteSpec[] = [];
  const linkIndex = container.index;
  for (const { address, gateway } of ips) {
    if (gateway === undefined) continue;
    const source = address.address;
    const host = Prefix.host(gateway);
    if (!leadsTo(routes, host)) routes.push({ destination: host, linkIndex, scope: RT_SCOPE_LINK, source });
    if (!leadsTo(routes, address.masked)) routes.push({ destination: address.masked, gateway, linkIndex, source });
  }
  return routes;
}

function leadsTo(routes: readonly RouteSpec[], destination: Prefix): boolean {
  return routes.some((route) => route.destination.equals(destination));
}

/** What the kernel added with the address. */
function removeConnectedRoute(sandbox: NetworkStack, container: Link, address: Prefix): void {
  for (const route of listRoutes(sandbox, {
    family: address.family,
    table: RT_TABLE_MAIN,
    linkIndex: container.index,
  })) {
    if (route.gateway !== undefined || !route.destination.equals(address.masked)) continue;
    deleteRoute(sandbox, { destination: route.destination, linkIndex: container.index, priority: route.priority });
  }
}

/** Every container's host end has the same gateway address; what tells containers apart is a route each. */
function answerAsGateway(host: NetworkStack, end: Link, ips: readonly IpConfig[]): void {
  for (const gateway of gatewaysOf(ips)) addAddress(host, end, gateway, { noDad: true });
  for (const { address } of ips) {
    const route = { destination: Prefix.host(address.address), linkIndex: end.index, scope: RT_SCOPE_HOST };
    addRoute(host, route, "replace");
  }
}

/** Each gateway once, as an address of its own. */
function gatewaysOf(ips: readonly IpConfig[]): Prefix[] {
  const found: Prefix[] = [];
  for (const { gateway } of ips) {
    if (gateway === undefined) continue;
    const address = Prefix.host(gateway);
    if (!found.some((each) => each.equals(address))) found.push(address);
  }
  return found;
}

function del({ config, attachment, host, sandbox, delegates, prevResult, teardown }: Del<PtpConfig>): void {
  const ips = prevResult === undefined ? [] : prevResult.ips;
  teardown.attempt("remove masquerading", () => removeMasquerade(host, attachment, ips));
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () =>
    removePair(host, sandbox.find(), attachment),
  );
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<PtpConfig>): void {
  delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "ptp");
  const container = verifyInterface(sandbox, attachment.ifName, result, "veth");
  if (!container.up) throw drift(`interface ${container.name} is down`);
  const ips = ipsOf(result, container.name);
  verifyContainerRoutes(sandbox.stack, container, ips);
  verifyHostEnd(host, container, ips);
  verifyForwarding(host, ips);
  if (config.ipMasq) verifyMasquerade(host, config.ipMasqBackend, attachment, ips);
}

/** In whichever table: a chained plugin (sbr, vrf) may have moved them. */
function verifyContainerRoutes(sandbox: NetworkStack, container: Link, ips: readonly IpConfig[]): void {
  const have = listRoutes(sandbox, { linkIndex: container.index });
  for (const { destination } of containerRoutes(container, ips)) {
    if (have.some((each) => each.destination.equals(destination))) continue;
    throw drift(`route ${destination.toString()} dev ${container.name} is missing in the container`);
  }
}

/** The host's end, whoever made it: the gateway's address on it, and the route to the container. */
function verifyHostEnd(host: NetworkStack, container: Link, ips: readonly IpConfig[]): void {
  const end = otherEnd(host, container);
  if (end === undefined) throw drift(`the host's end of ${container.name} is missing`);
  if (!end.up)
    throw drift(`the host's end ${end.name} of ${container.name} is down`, `bring it up: ip link set ${end.name} up`);
  const have = listAddresses(host, end);
  for (const gateway of gatewaysOf(ips)) {
    if (have.some((each) => each.prefix.address.equals(gateway.address))) continue;
    throw drift(`gateway address ${gateway.address.toString()} is missing on ${end.name}`);
  }
  const routes = listRoutes(host, { table: RT_TABLE_MAIN, linkIndex: end.index });
  for (const { address } of ips) {
    const target = Prefix.host(address.address);
    if (routes.some((route) => route.destination.equals(target))) continue;
    throw drift(`route ${target.toString()} dev ${end.name} is missing on the host`);
  }
}

function gc({ config, host, delegates, valid, teardown }: Gc<PtpConfig>): void {
  const isStale = (tag: string): boolean => valid.isStale(tag);
  teardown.attempt("collect masquerading", () => collectMasquerade(host, valid));
  const areGone = collectPairs(host, isStale, teardown);
  if (areGone) collectAddresses(teardown, delegates, config.ipamType);
}

function status({ config, host, delegates }: Status<PtpConfig>): void {
  requireForwarding(host);
  if (config.ipMasq) requireMasquerade(host, config.ipMasqBackend);
  delegates.status(config.ipamType);
}
