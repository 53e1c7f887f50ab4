/** Takes a device from the host into a container, all or nothing. */
import { findMade } from "../../pkg/link/made-link.ts";
import { nameTaken } from "../../pkg/link/name-taken.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { removeAlternativeName } from "../../pkg/netlink/alternative-name.ts";
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import { defaultRoutes, listRoutes } from "../../pkg/netlink/route.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Add } from "../../pkg/skel/plugin.ts";
import { CniError, ErrorCode, invalidConfig, messageOf } from "../../spec/errors.ts";
import type { HostDeviceConfig } from "./config.ts";
import { choiceWords, type DeviceChoice, findChosen, isLoopback, meansFormer, notFound } from "./device-choice.ts";
import { type FormerState, readState, withoutNamespace } from "./former-state.ts";
import { Departure, giveBack } from "./give-back.ts";
import { DeviceRecords } from "./records.ts";
import { restoreDevice } from "./restore.ts";
import { findInContainer, findOnHost, isInContainer } from "./whereabouts.ts";

/** A device in the container under CNI_IFNAME, down, and what it was on the host. */
export interface TakenDevice {
  readonly link: Link;
  readonly state: FormerState;
}

/**
 * Moves the chosen device into the container. Its former state is on disk before it moves; when ADD fails it is taken back.
 * @throws CniError 7 when there is no such device or it cannot be moved, 101 when the name in the container or the device is taken
 */
export function takeDevice(call: Add<HostDeviceConfig>, choice: DeviceChoice): TakenDevice {
  const { attachment, sandbox } = call;
  const records = new DeviceRecords(call.warn);
  if (findLink(sandbox.stack, attachment.ifName) !== undefined && records.find(attachment) === undefined) {
    throw nameTaken(attachment.ifName);
  }
  return records.exclusively(true, (): TakenDevice => {
    freeName(call, records);
    settleReturned(call.host, records, call.warn);
    return move(call, requireDevice(call, choice, records), records);
  });
}

/** What a killed ADD of the same owner has left, still down, goes back first. @throws CniError 101 when the name is anything else's */
function freeName(call: Add<HostDeviceConfig>, records: DeviceRecords): void {
  const { attachment, sandbox } = call;
  const found = findLink(sandbox.stack, attachment.ifName);
  if (found === undefined) return;
  const state = records.find(attachment);
  if (state === undefined || found.up || !isInContainer(found, state)) throw nameTaken(attachment.ifName);
  bringBack(call, records, state);
}

/**
 * Devices that the kernel or others have put back on the host, and whose DEL never came: restored, and free for this ADD. That one of them
 * cannot be is no matter of this ADD's, unless it is the one that is asked for, which then is not found.
 */
function settleReturned(host: NetworkStack, records: DeviceRecords, warn: (line: string) => void): void {
  for (const state of records.all()) {
    const link = findOnHost(host, state);
    if (link === undefined) continue;
    try {
      restoreDevice(host, link, state, state.restoresAddresses, warn);
      records.remove(state.attachment);
    } catch (error) {
      warn(`host-device: ${link.name}, once ${state.name}, is not restored: ${messageOf(error)}`);
    }
  }
}

function requireDevice({ host }: Add<HostDeviceConfig>, choice: DeviceChoice, records: DeviceRecords): Link {
  const found = findChosen(host, choice);
  if (found === undefined) {
    const holder = records.all().find((state) => meansFormer(choice, state));
    if (holder !== undefined) throw inUse(choice, holder);
    throw notFound(host, choice);
  }
  if (isLoopback(found)) {
    throw invalidConfig(
      `"${found.name}" is the loopback interface: every namespace has its own, and it cannot be moved`,
      "name another device",
    );
  }
  return found;
}

/** The error of a device that another container has. */
export function inUse(choice: DeviceChoice, { attachment }: FormerState): CniError {
  return new CniError(
    ErrorCode.Taken,
    `device ${choiceWords(choice)} is not found on the host: ${attachment.toString()} has it`,
    "a device can be in one container only: delete that container, or name another device",
  );
}

function move(call: Add<HostDeviceConfig>, device: Link, records: DeviceRecords): TakenDevice {
  const { config, attachment, host, sandbox, undo, warn } = call;
  const container = sandbox.stack;
  if (container.namespace === undefined) throw nameTaken(attachment.ifName);
  warnOfDefaultRoute(host, device, warn);
  warnOfSharedRoutes(host, device, warn);
  const state = readState(host, device, attachment, container.namespace, config.restoreAddresses);
  settleEarlier(container, state, records);
  // Before anything is done: that nobody heard the kernel's answer does not mean that it was not done.
  undo.push(`give ${device.name} back`, () => takeBack(call, state));
  records.write(state);
  // The name that it is to have in the container may be one of its own alternative ones.
  if (device.alternativeNames.includes(attachment.ifName)) removeAlternativeName(host, device, attachment.ifName);
  try {
    // One message: down, moved, renamed, and marked with its former name as the reference suite does.
    changeLink(host, device, { namespace: container.namespace, name: attachment.ifName, alias: device.name });
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw cannotMove(device, attachment.ifName, error);
  }
  return { link: findMade(container, attachment.ifName), state };
}

/**
 * The kernel gives the number of a namespace that has ended to the next one. A record of another attachment that seems to be of this
 * namespace, and whose device is not here, is of such an earlier one: left as it is, it would take the device that comes now for its own.
 * A virtual device has ended with its namespace; hardware is looked for on the host alone from now on. @throws KernelError; file errors
 */
function settleEarlier(container: NetworkStack, { attachment, namespace }: FormerState, records: DeviceRecords): void {
  for (const state of records.all()) {
    if (state.namespace !== namespace || state.attachment.key === attachment.key) continue;
    // Another interface of the same container.
    if (findInContainer(container, state) !== undefined) continue;
    if (state.kind !== "" && state.hardware === "") records.remove(state.attachment);
    else records.write(withoutNamespace(state));
  }
}

/** Gives the host back what this ADD has taken, with all that it had. Idempotent. @throws CniError, KernelError as giveBack */
export function takeBack(call: Add<HostDeviceConfig>, state: FormerState): void {
  const records = new DeviceRecords(call.warn);
  records.exclusively(true, () => bringBack(call, records, state));
}

/** The same where nobody else moves a device now. */
function bringBack(call: Add<HostDeviceConfig>, records: DeviceRecords, state: FormerState): void {
  giveBack(call.host, call.sandbox.stack, state, true, new Departure(), call.warn);
  records.remove(state.attachment);
}

function cannotMove(device: Link, ifName: string, error: KernelError): CniError {
  const subject = `Cannot move ${device.name} into the container as ${ifName}: ${error.message}`;
  switch (error.errno) {
    case "EEXIST":
      return new CniError(
        ErrorCode.Taken,
        subject,
        `the container has an interface called ${ifName}, ${device.name} or as one of its alternative names: delete it`,
      );
    case "EINVAL":
    case "EOPNOTSUPP":
      return invalidConfig(
        subject,
        `the kernel lets no ${device.kind === "" ? "such device" : device.kind} leave its network namespace (netns-local, see ethtool -k)`,
      );
    case "ENODEV":
      return new CniError(ErrorCode.TryAgain, subject, "another call has taken the device, or it was removed");
    default:
      return new CniError(ErrorCode.Io, subject);
  }
}

function warnOfDefaultRoute(host: NetworkStack, device: Link, warn: (line: string) => void): void {
  for (const route of [...defaultRoutes(host, 4), ...defaultRoutes(host, 6)]) {
    const isBy = route.linkIndex === device.index || route.nexthops.some((hop) => hop.linkIndex === device.index);
    if (!isBy) continue;
    warn(
      `host-device: the host's default route leads through ${device.name}: the host loses it while the container has it`,
    );
    return;
  }
}

/** IPv6 keeps the ways of other devices, and gets back the one through this one. */
function warnOfSharedRoutes(host: NetworkStack, device: Link, warn: (line: string) => void): void {
  for (const { destination, nexthops } of listRoutes(host, { family: 4, linkIndex: device.index })) {
    if (!nexthops.some((hop) => hop.linkIndex !== device.index)) continue;
    warn(
      `host-device: the host's route to ${destination.toString()} leads through ${device.name} and others: ` +
        "the kernel removes it with all its ways, and it is not given back",
    );
  }
}
