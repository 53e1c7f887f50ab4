/**
 * host-device: gives the container one of the host's own devices, and the host gets it back as it was.
 *
 *   host[ens5 ─ name, address, MTU, master, …]  ──ADD──▶  sandbox[eth0, alias "ens5"]  ──DEL──▶  host[ens5, as before]
 */
import { announceByFrames, requireFreeAddresses } from "../../pkg/address-probe/address-probe.ts";
import type { Address } from "../../pkg/ip/address.ts";
import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { interfaceResult } from "../../pkg/ipam-client/interface-result.ts";
import { collectAddresses, releaseAddresses, requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { bringUpWithoutAddresses, prepareSharedSegment } from "../../pkg/ipam-client/shared-segment.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { announceAddresses } from "../../pkg/link/announce.ts";
import type { Link } from "../../pkg/netlink/link.ts";
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
import { Undo } from "../../pkg/skel/undo.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { ValidAttachment } from "../../spec/network-config.ts";
import { describeInterface, emptyResult, type IpConfig, type Result } from "../../spec/result.ts";
import { config, type HostDeviceConfig } from "./config.ts";
import { chooseDevice, type DeviceChoice, pciAddressOfChosen, requireChoice } from "./device-choice.ts";
import type { FormerState } from "./former-state.ts";
import { Departure, giveBack, type Outcome } from "./give-back.ts";
import { requireAvailable } from "./readiness.ts";
import { DeviceRecords } from "./records.ts";
import { type TakenDevice, takeBack, takeDevice } from "./take-device.ts";
import { adoptUnrecorded, findUnrecorded, giveBackUnrecorded, type Unrecorded } from "./unrecorded.ts";
import { awaitReturn, isInContainer, isInItsContainer } from "./whereabouts.ts";

export function hostDevice(): Plugin {
  return definePlugin({
    type: "host-device",
    since: "0.1.0",
    entersSandbox: true,
    config,
    add,
    del,
    check,
    gc,
    status,
  });
}

function add(call: Add<HostDeviceConfig>): Result {
  const choice = requireChoice(call.config);
  const result = choice.dpdk ? leaveToProgram(call, choice) : connect(call, takeDevice(call, choice));
  return withDns(result, call.config.dns);
}

/** The addresses are for the program that drives the device; no interface is touched. */
function leaveToProgram(call: Add<HostDeviceConfig>, choice: DeviceChoice): Result {
  const { config, attachment, delegates, host, sandbox, undo } = call;
  if (config.probing !== "off") {
    throw invalidConfig("probeAddresses: a program drives the device, and the segment cannot be asked through it");
  }
  const leased = config.ipamType === "" ? emptyResult : requestAddresses(delegates, config.ipamType, undo);
  const ips: IpConfig[] = [];
  for (const { address, gateway } of leased.ips) ips.push({ address, gateway, interface: 0 });
  const interfaces = [describeInterface(attachment.ifName, "", 0, sandbox.path)];
  return withPciAddress({ interfaces, ips, routes: leased.routes, dns: leased.dns }, pciAddressOfChosen(host, choice));
}

function connect(call: Add<HostDeviceConfig>, { link, state }: TakenDevice): Result {
  const { config, delegates, sandbox, undo } = call;
  if (config.ipamType === "") return withPciAddress(bringUpWithoutAddresses(sandbox, link), state.pciAddress);
  // The link comes before its addresses, for an IPAM plugin may ask for them through it (dhcp).
  prepareSharedSegment(sandbox.stack, link, config.ipv6);
  const leasing = new Undo();
  // One step, for nobody may get an address that an interface still has.
  undo.push(`give ${state.name} back and release its addresses`, () => {
    takeBack(call, state);
    const failure = leasing.run().at(0);
    if (failure !== undefined) throw new CniError(ErrorCode.DelegateFailed, failure);
  });
  const leased = requestAddresses(delegates, config.ipamType, leasing);
  const addresses = leased.ips.map((ip): Address => ip.address.address);
  requireFreeAddresses({ stack: sandbox.stack, link, below: undefined }, addresses, config.probing);
  const result = interfaceResult(sandbox, link, leased);
  configureInterface(sandbox.stack, link, result, { detectDuplicates: config.probing === "off" });
  // Hardware remembers that an address was given to it, were it its own: the kernel's announcements as it comes up must do there, and
  // ours where it was up before it had its addresses.
  if (link.kind !== "") announceAddresses(sandbox.stack, link);
  else if (config.probing !== "off") announceByFrames(sandbox.stack, link, addresses);
  return withPciAddress(result, state.pciAddress);
}

function withPciAddress(result: Result, pciID: string): Result {
  const interfaces = result.interfaces.map((each) => {
    const { name, mac, mtu, sandbox, socketPath } = each;
    return { name, mac, mtu, sandbox, socketPath, pciID };
  });
  return { interfaces, ips: result.ips, routes: result.routes, dns: result.dns };
}

/** Device first, address last: an address is never free while a container still has it. */
function del(call: Del<HostDeviceConfig>): void {
  const { config, delegates, teardown } = call;
  const departure = new Departure();
  teardown.attempt("give the device back", () => giveBackOf(call, departure));
  if (departure.hasLeft) releaseAddresses(teardown, delegates, config.ipamType);
}

function giveBackOf(call: Del<HostDeviceConfig>, departure: Departure): void {
  const away = giveBackIfFound(call, departure);
  if (away === undefined) return;
  // Others may move their devices meanwhile. GC does not wait: there may be many devices that never come.
  const isBack = awaitReturn(call.host, call.sandbox.find(), away);
  if (isBack) giveBackIfFound(call, departure);
  else call.warn(awayWords(away));
}

/** What the device was, where it is hardware that is away. */
function giveBackIfFound(call: Del<HostDeviceConfig>, departure: Departure): FormerState | undefined {
  const { attachment, host, sandbox, warn } = call;
  const records = new DeviceRecords(warn);
  return records.exclusively(false, (): FormerState | undefined => {
    const state = records.find(attachment);
    let outcome: Outcome = "returned";
    if (state === undefined) giveBackWithoutRecord(call, records, departure);
    else outcome = giveBack(host, sandbox.find(), state, state.restoresAddresses, departure, warn);
    records.removeUnfinished(attachment);
    if (outcome === "away") return state;
    // It is back, or gone for good.
    records.remove(attachment);
    return undefined;
  });
}

function awayWords({ name, attachment, namespacePath }: FormerState): string {
  const namespace = namespacePath === "" ? "its namespace" : `its namespace ${namespacePath}`;
  return (
    `host-device: ${name} has not come back from ${attachment.toString()}: something still holds ${namespace}; ` +
    `the next ADD, DEL or GC that finds it on the host restores it`
  );
}

/** The reference suite keeps none: what the kernel says must do. A device that a program drives was never moved. */
function giveBackWithoutRecord(call: Del<HostDeviceConfig>, records: DeviceRecords, departure: Departure): void {
  const { config, attachment, host, sandbox, prevResult, warn } = call;
  const container = isProgramDriven(config) ? undefined : sandbox.find();
  const found =
    container === undefined ? undefined : findUnrecorded(host, container, attachment.ifName, config, prevResult);
  if (container !== undefined && found !== undefined && !isOfAnother(container, found, records)) {
    const isBack = giveBackUnrecorded(host, container, found);
    departure.hasLeft = true;
    warn(
      isBack
        ? `host-device: ${found.formerName} was not given by this suite: it is back, down, and else as the container left it`
        : `host-device: ${found.link.name} is left to the container: the kernel lets it out of no namespace, so it is no device of the host's`,
    );
    if (isBack) return;
  }
  departure.hasLeft = true;
  adoptUnrecorded(host, config.device, (name: string): boolean => name === attachment.ifName);
}

/**
 * Whether a record says that the device is another container's: the namespace at CNI_NETNS may be that one's by now, or what is here only
 * has the name of the device that it has.
 */
function isOfAnother(container: NetworkStack, { link, formerName }: Unrecorded, records: DeviceRecords): boolean {
  const namespace = container.namespace?.identity();
  return records.all().some((state): boolean => {
    if (state.namespace === namespace && isInContainer(link, state)) return true;
    return state.name === formerName && isInItsContainer(state);
  });
}

/** Whatever is wrong with the configuration by now is no matter for DEL. */
function isProgramDriven(config: HostDeviceConfig): boolean {
  try {
    return chooseDevice(config)?.dpdk ?? false;
  } catch (_) {
    return false;
  }
}

function check({ config, attachment, sandbox, delegates, prevResult }: Check<HostDeviceConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "host-device");
  if (chooseDevice(config)?.dpdk ?? false) return;
  const link: Link = verifyInterface(sandbox, attachment.ifName, result);
  if (!link.up) throw drift(`interface ${link.name} is down`);
}

/** What a collection of devices has found out. */
class Collection {
  isComplete = false;
  /** Whose devices are still in their containers. */
  readonly stuck: ValidAttachment[] = [];
}

function gc(call: Gc<HostDeviceConfig>): void {
  const { config, environment, network, delegates, teardown } = call;
  const collection = new Collection();
  teardown.attempt("collect devices", () => collectDevices(call, collection));
  if (!collection.isComplete) return;
  // An address that a container still has is in use, whoever is alive.
  const sparing = delegates.with(environment, network.withAlive(collection.stuck));
  collectAddresses(teardown, sparing, config.ipamType);
}

function collectDevices(call: Gc<HostDeviceConfig>, collection: Collection): void {
  const { config, host, valid, teardown, warn } = call;
  const records = new DeviceRecords(warn);
  records.exclusively(false, (): void => {
    for (const state of records.all()) {
      const { key, containerId, ifName } = state.attachment;
      if (!valid.isStale(key)) continue;
      const departure = new Departure();
      teardown.attempt(`give ${state.name} back`, () => {
        const outcome = giveBack(host, undefined, state, state.restoresAddresses, departure, warn);
        if (outcome === "away") warn(awayWords(state));
        else records.remove(state.attachment);
      });
      if (!departure.hasLeft) collection.stuck.push({ containerID: containerId, ifname: ifName });
    }
    // Nobody knows what a dead container called it. While others live the name and an alias of the host's own look the same.
    const isAnyName = valid.liveKeys().length === 0;
    adoptUnrecorded(host, config.device, (_name: string): boolean => isAnyName);
  });
  collection.isComplete = true;
}

function status({ config, host, delegates, network, warn }: Status<HostDeviceConfig>): void {
  requireAvailable(host, config, network.name, new DeviceRecords(warn));
  if (config.ipamType !== "") delegates.status(config.ipamType);
}
