/**
 * ptp: a routed link of its own between the host and each container; containers meet nowhere but in the host's routing.
 *
 *   sandbox[eth0 10.1.0.5/24]──veth──[10.1.0.1/32]host──route 10.1.0.5/32──forward, masquerade──▶ the world
 */
import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { removeContainerEnd } from "../../pkg/link/container-end.ts";
import { enableForwarding } from "../../pkg/link/forwarding.ts";
import { connectVeth, removeHostEnd, requireFreeName, staleHostEnds, type VethPair } from "../../pkg/link/veth.ts";
import { collectMasquerade, ensureMasquerade, removeMasquerade, verifyMasquerade } from "../../pkg/masquerade/masquerade.ts";
import { addAddress, listAddresses } from "../../pkg/netlink/address.ts";
import { deleteLink, findLinkByIndex, type Link } from "../../pkg/netlink/link.ts";
import { addRoute, deleteRoute, listRoutes } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Add, type Check, type Del, definePlugin, type Gc, type Plugin, type Status } from "../../pkg/skel/plugin.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import { describeInterface, type IpConfig, type Result } from "../../spec/result.ts";
import { config, type PtpConfig } from "./config.ts";

/** Index of the container's end in the result's interfaces: host's end, container's end. */
const CONTAINER = 1;
/** rtnetlink.h RT_SCOPE_* */
const SCOPE_LINK = 253;
const SCOPE_HOST = 254;
const MAIN_TABLE = 254;

export function ptp(): Plugin {
  return definePlugin({ type: "ptp", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, delegates, host, sandbox, undo }: Add<PtpConfig>): Result {
  requireFreeName(sandbox.stack, attachment.ifName);
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
  for (const { address, gateway } of ips) {
    if (gateway === undefined) continue;
    const source = address.address;
    const linkIndex = container.index;
    removeConnectedRoute(sandbox, container, address);
    addRoute(sandbox, { destination: Prefix.host(gateway), linkIndex, scope: SCOPE_LINK, source }, "create");
    addRoute(sandbox, { destination: address.masked, gateway, linkIndex, source }, "create");
  }
}

/** What the kernel added with the address. */
function removeConnectedRoute(sandbox: NetworkStack, container: Link, address: Prefix): void {
  for (const route of listRoutes(sandbox, { family: address.family, table: MAIN_TABLE, linkIndex: container.index })) {
    if (route.gateway !== undefined || !route.destination.equals(address.masked)) continue;
    deleteRoute(sandbox, { destination: route.destination, linkIndex: container.index, priority: route.priority });
  }
}

/** Every container's host end has the same gateway address; what tells containers apart is a route each. */
function answerAsGateway(host: NetworkStack, end: Link, ips: readonly IpConfig[]): void {
  for (const { address, gateway } of ips) {
    if (gateway === undefined) continue;
    addAddress(host, end, Prefix.host(gateway), { noDad: true });
    const route = { destination: Prefix.host(address.address), linkIndex: end.index, scope: SCOPE_HOST };
    addRoute(host, route, "replace");
  }
}

/** Interface first, address last: an address is never free while an interface still has it. */
function del({ config, attachment, host, sandbox, delegates, teardown }: Del<PtpConfig>): void {
  teardown.attempt("remove masquerading", () => removeMasquerade(host, attachment));
  teardown.attempt(`remove ${attachment.ifName}`, () => removeContainerEnd(sandbox.find(), attachment.ifName));
  teardown.attempt("remove the host's end", () => removeHostEnd(host, attachment));
  if (config.ipamType !== "") teardown.attempt("release the addresses", () => delegates.del(config.ipamType));
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<PtpConfig>): void {
  delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "ptp");
  const container = verifyInterface(sandbox, attachment.ifName, result, "veth");
  const ips = result.ips.filter((ip) => ip.interface === undefined || result.interfaces.at(ip.interface)?.name === container.name);
  verifyHostEnd(host, container, ips);
  if (config.ipMasq) verifyMasquerade(host, config.ipMasqBackend, attachment, ips);
}

/** The host's end, whoever made it: the gateway's address on it, and the route to the container. */
function verifyHostEnd(host: NetworkStack, container: Link, ips: readonly IpConfig[]): void {
  const end = findLinkByIndex(host, container.linkIndex);
  if (end === undefined || end.kind !== "veth") throw drift(`the host's end of ${container.name} is missing`);
  if (!end.up) throw drift(`the host's end ${end.name} of ${container.name} is down`, `bring it up: ip link set ${end.name} up`);
  const have = listAddresses(host, end);
  for (const { address, gateway } of ips) {
    if (gateway !== undefined && !have.some((each) => each.prefix.address.equals(gateway))) {
      throw drift(`gateway address ${gateway.toString()} is missing on ${end.name}`);
    }
    const target = Prefix.host(address.address);
    const routes = listRoutes(host, { family: address.family, table: MAIN_TABLE, linkIndex: end.index });
    if (!routes.some((route) => route.destination.equals(target))) {
      throw drift(`route ${target.toString()} dev ${end.name} is missing on the host`);
    }
  }
}

function gc({ config, host, delegates, valid, teardown }: Gc<PtpConfig>): void {
  const isStale = (tag: string): boolean => valid.isStale(tag);
  teardown.attempt("collect masquerading", () => collectMasquerade(host, valid));
  for (const link of staleHostEnds(host, isStale)) teardown.attempt(`remove ${link.name}`, () => deleteLink(host, link));
  if (config.ipamType !== "") teardown.attempt("collect addresses", () => delegates.gc(config.ipamType));
}

function status({ config, delegates }: Status<PtpConfig>): void {
  delegates.status(config.ipamType);
}
