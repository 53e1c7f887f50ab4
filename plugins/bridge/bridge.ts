/**
 * bridge: joins each container to a bridge of the host by a veth pair.
 *
 *   sandbox[eth0]──veth──[port]cni0[gateway]──forward, masquerade──▶ the world
 */

import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { collectAddresses, removeThenRelease, requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { announceAddresses } from "../../pkg/link/announce.ts";
import { enableForwarding, requireForwarding, verifyForwarding } from "../../pkg/link/forwarding.ts";
import { requireLeastMtu } from "../../pkg/link/least-mtu.ts";
import { awaitOperational } from "../../pkg/link/operational.ts";
import { requestedMac } from "../../pkg/link/requested-mac.ts";
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
import { requireMasquerade, requireNftables } from "../../pkg/masquerade/readiness.ts";
import { findBridgePort, setBridgePort } from "../../pkg/netlink/bridge-port.ts";
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
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
import { ensureSysctl, isWriteRefused, writeSysctls } from "../../pkg/sysctl/sysctl.ts";
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import { describeInterface, type Interface, ipsOf, noDns, type Result } from "../../spec/result.ts";
import { ensureBridge, findBridge } from "./bridge-device.ts";
import { type BridgeConfig, config } from "./config.ts";
import { ensureGateways, verifyGateways, withGateways } from "./gateway.ts";
import { whileJoining } from "./joining.ts";
import { allowSpoofing, collectSpoofChecks, forbidSpoofing, verifySpoofCheck } from "./spoof-check.ts";
import { joinVlans, verifyVlans } from "./vlan.ts";

/** Index of the container's end in the result's interfaces: bridge, host's end, container's end. */
const CONTAINER = 2;

export function bridge(): Plugin {
  return definePlugin({ type: "bridge", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add(call: Add<BridgeConfig>): Result {
  const { config, attachment, environment, delegates, host, sandbox, undo } = call;
  const mac = requestedMac({ own: undefined, runtime: config.mac }, environment);
  requireLeastMtu(config.mtu);
  requireFreeName(host, sandbox.stack, attachment, config.disableContainerInterface);
  const addresses =
    config.ipamType === ""
      ? undefined
      : withGateways(requestAddresses(delegates, config.ipamType, undo), config, CONTAINER);

  const { gateways, pair } = whileJoining((): Joined => joinBridge(call, mac, addresses));
  if (config.hairpinMode || config.portIsolation) {
    setBridgePort(host, pair.host, { hairpin: config.hairpinMode, isolated: config.portIsolation });
  }
  if (config.macspoofchk) forbidSpoofing(host, attachment, pair.host.name, pair.container.mac, undo);

  const interfaces = [...describe(host, config, pair, sandbox.path), ...gateways];
  if (addresses === undefined) {
    if (!config.disableContainerInterface) changeLink(sandbox.stack, pair.container, { up: true });
  } else {
    prepareSandbox(sandbox.stack, pair.container, config, addresses);
    const result: Result = { interfaces, ips: addresses.ips, routes: addresses.routes, dns: addresses.dns };
    configureInterface(sandbox.stack, pair.container, result, { detectDuplicates: config.enabledad });
    if (config.ipMasq) ensureMasquerade(host, config.ipMasqBackend, attachment, result.ips, undo);
    if (config.isGateway) enableForwarding(host, result.ips);
  }
  if (!config.disableContainerInterface) awaitOperational(host, pair.host, "bridge port");
  if (addresses === undefined) return withDns({ interfaces, ips: [], routes: [], dns: noDns }, config.dns);
  announceAddresses(sandbox.stack, pair.container);
  return withDns({ interfaces, ips: addresses.ips, routes: addresses.routes, dns: addresses.dns }, config.dns);
}

interface Joined {
  /** The interfaces beside the bridge that have its addresses. */
  readonly gateways: readonly Interface[];
  readonly pair: VethPair;
}

/** The bridge, its gateway where it is one, and the pair whose host's end is a port of it. */
function joinBridge(call: Add<BridgeConfig>, mac: string | undefined, addresses: Result | undefined): Joined {
  const { config, attachment, host, sandbox, undo } = call;
  const device = ensureBridge(host, config, undo);
  const gateways =
    addresses === undefined || !config.isGateway ? [] : ensureGateways(host, device, config, addresses, undo);
  const pair = connectVeth(host, sandbox.stack, attachment, { mtu: config.mtu, mac, masterIndex: device.index }, undo);
  joinVlans(host, pair.host, config);
  return { gateways, pair };
}

/**
 * Duplicates are looked for where asked, and the kernel announces the addresses. Where the bridge is the router, or IPAM gives
 * IPv6 addresses, no sibling may pose as one (CVE-2020-10749).
 */
function prepareSandbox(sandbox: NetworkStack, container: Link, config: BridgeConfig, addresses: Result): void {
  const four = `net/ipv4/conf/${container.name}`;
  const six = `net/ipv6/conf/${container.name}`;
  const isConfigured = config.isGateway || addresses.ips.some((ip) => ip.address.family === 6);
  try {
    if (isConfigured) ensureSysctl(sandbox.namespace, `${six}/accept_ra`, "0");
    writeSysctls(sandbox.namespace, [
      [`${six}/enhanced_dad`, "1"],
      [`${six}/accept_dad`, config.enabledad ? "1" : "0"],
      [`${six}/ndisc_notify`, "1"],
      [`${four}/arp_notify`, "1"],
    ]);
  } catch (error) {
    // A read-only /proc/sys, as in a container: the network works without.
    if (!isWriteRefused(error)) throw error;
  }
}

function describe(host: NetworkStack, config: BridgeConfig, pair: VethPair, sandboxPath: string): Interface[] {
  const device = findBridge(host, config.bridge);
  return [
    describeInterface(config.bridge, device?.mac ?? "", device?.mtu ?? 0),
    describeInterface(pair.host.name, pair.host.mac, pair.host.mtu),
    describeInterface(pair.container.name, pair.container.mac, pair.container.mtu, sandboxPath),
  ];
}

function del({ config, attachment, host, sandbox, delegates, prevResult, teardown }: Del<BridgeConfig>): void {
  const ips = prevResult === undefined ? [] : prevResult.ips;
  teardown.attempt("remove masquerading", () => removeMasquerade(host, attachment, ips));
  teardown.attempt("remove the spoof check", () => allowSpoofing(host, attachment));
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () =>
    removePair(host, sandbox.find(), attachment),
  );
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<BridgeConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "bridge");
  const container = verifyInterface(sandbox, attachment.ifName, result, "veth");
  const device = verifyBridge(host, config);
  verifyPort(host, config, device, container);
  const ips = ipsOf(result, container.name);
  if (config.isGateway) {
    verifyGateways(host, device, config, ips);
    verifyForwarding(host, ips);
  }
  if (config.ipMasq) verifyMasquerade(host, config.ipMasqBackend, attachment, ips);
  if (config.macspoofchk) verifySpoofCheck(host, attachment);
}

function verifyBridge(host: NetworkStack, config: BridgeConfig): Link {
  const device = findBridge(host, config.bridge);
  if (device === undefined) throw drift(`bridge ${config.bridge} is missing`);
  if (!device.up) throw drift(`bridge ${config.bridge} is down`, `bring it up: ip link set ${config.bridge} up`);
  if (config.promiscMode && !device.promiscuous) throw drift(`bridge ${config.bridge} is not in promiscuous mode`);
  return device;
}

/** The other end of the container's interface, whoever made it, is a port of the bridge, up, and as configured. */
function verifyPort(host: NetworkStack, config: BridgeConfig, device: Link, container: Link): void {
  const port = otherEnd(host, container);
  if (port === undefined || port.masterIndex !== device.index) {
    throw drift(
      `CNI veth created for bridge ${config.bridge} was not found: ${container.name}'s other end is no port of it`,
    );
  }
  if (!port.up) throw drift(`bridge port ${port.name} is down`, `bring it up: ip link set ${port.name} up`);
  if (!config.disableContainerInterface && !container.up) throw drift(`interface ${container.name} is down`);
  const flags = findBridgePort(host, port.index);
  if (config.hairpinMode && flags?.hairpin !== true) throw drift(`bridge port ${port.name} is not in hairpin mode`);
  if (config.portIsolation && flags?.isolated !== true) throw drift(`bridge port ${port.name} is not isolated`);
  verifyVlans(host, port, config);
}

function gc({ config, host, delegates, valid, teardown }: Gc<BridgeConfig>): void {
  const isStale = (tag: string): boolean => valid.isStale(tag);
  teardown.attempt("collect masquerading", () => collectMasquerade(host, valid));
  teardown.attempt("collect spoof checks", () => collectSpoofChecks(host, isStale));
  const areGone = collectPairs(host, isStale, teardown);
  if (areGone) collectAddresses(teardown, delegates, config.ipamType);
}

function status({ config, host, delegates }: Status<BridgeConfig>): void {
  requireBridgeName(host, config.bridge);
  if (config.isGateway) requireForwarding(host);
  if (config.macspoofchk) requireNftables(host, "do without macspoofchk");
  if (config.ipMasq) requireMasquerade(host, config.ipMasqBackend);
  if (config.ipamType !== "") delegates.status(config.ipamType);
}

function requireBridgeName(host: NetworkStack, name: string): void {
  const kind = findLink(host, name)?.kind ?? "bridge";
  if (kind === "bridge") return;
  throw new CniError(
    ErrorCode.NotAvailable,
    `"${name}" already exists but is not a bridge`,
    `give "bridge" another name`,
  );
}
