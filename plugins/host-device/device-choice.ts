/** Which of the host's devices a configuration means. */
import { IFF_LOOPBACK } from "../../pkg/netlink/headers/if.ts";
import { findLink, type Link, listLinks } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type CniError, invalidConfig } from "../../spec/errors.ts";
import type { HostDeviceConfig } from "./config.ts";
import type { FormerState } from "./former-state.ts";
import {
  auxiliaryDirectory,
  hardwareOf,
  interfaceOf,
  isProgramDriver,
  isThere,
  pciAddressOf,
  pciDirectory,
  pciDriver,
} from "./sysfs.ts";

/** Names that an error tells: on a node with many interfaces the rest is noise. */
const TOLD_CANDIDATES = 10;

export interface DeviceChoice {
  readonly by: "name" | "hardware address" | "path" | "PCI address" | "auxiliary device";
  readonly value: string;
  /** A program drives the device: there is no interface to move. */
  readonly dpdk: boolean;
  /** Where the configuration or the runtime says it, also beside another key; else empty. */
  readonly pciAddress: string;
}

/**
 * What the configuration and the runtime say, the first that is given: device, hwaddr, kernelpath, pciBusID, and deviceID in the place
 * of pciBusID. `undefined` when they say nothing. @throws CniError 7 when the device that the runtime has chosen is not there
 */
export function chooseDevice(config: HostDeviceConfig): DeviceChoice | undefined {
  let pci = config.pciBusID;
  let auxiliary = "";
  if (config.deviceID !== "") {
    if (isThere(pciDirectory(config.deviceID))) pci = config.deviceID;
    else if (isThere(auxiliaryDirectory(config.deviceID))) {
      auxiliary = config.deviceID;
      pci = "";
    } else {
      throw invalidConfig(
        `runtime config DeviceID ${config.deviceID} not found or unsupported`,
        "it must be a PCI address or an auxiliary device, in /sys/bus/pci/devices or /sys/bus/auxiliary/devices",
      );
    }
  }
  // As the reference does: the PCI device decides, even where another key names the interface.
  const dpdk = config.dpdkMode || (pci !== "" && isProgramDriver(pciDriver(pci) ?? ""));
  if (config.device !== "") return { by: "name", value: config.device, dpdk, pciAddress: pci };
  if (config.hwaddr !== "") return { by: "hardware address", value: config.hwaddr, dpdk, pciAddress: pci };
  if (config.kernelpath !== "") return { by: "path", value: config.kernelpath, dpdk, pciAddress: pci };
  if (pci !== "") return { by: "PCI address", value: pci, dpdk, pciAddress: pci };
  if (auxiliary !== "") return { by: "auxiliary device", value: auxiliary, dpdk, pciAddress: pci };
  return undefined;
}

/** The same for an ADD. @throws CniError 7 also when nothing is said, or the PCI device has no driver */
export function requireChoice(config: HostDeviceConfig): DeviceChoice {
  const choice = chooseDevice(config);
  if (choice === undefined) {
    throw invalidConfig(
      'specify either "device", "hwaddr", "kernelpath" or "pciBusID"',
      "or let the runtime choose: capability deviceID",
    );
  }
  if (choice.by === "PCI address" && !choice.dpdk) requireDriver(choice.value);
  return choice;
}

function requireDriver(address: string): void {
  if (!isThere(pciDirectory(address))) {
    throw invalidConfig(`there is no PCI device ${address}`, "lspci -D lists those that there are");
  }
  if (pciDriver(address) === undefined) {
    throw invalidConfig(
      `PCI device ${address} has no driver`,
      `bind one: echo ${address} > /sys/bus/pci/drivers_probe`,
    );
  }
}

/** For messages: `PCI address 0000:65:00.1`. */
export function choiceWords(choice: DeviceChoice): string {
  return choice.by === "name" ? `"${choice.value}"` : `with ${choice.by} ${choice.value}`;
}

/** The PCI address of what is meant; empty where it has none, or nobody can tell. @throws KernelError; file errors */
export function pciAddressOfChosen(host: NetworkStack, choice: DeviceChoice): string {
  if (choice.pciAddress !== "") return choice.pciAddress;
  if (choice.by === "path") return pciAddressOf(choice.value.replace(/\/+$/, ""));
  const link = findChosen(host, choice);
  return link === undefined ? "" : pciAddressOf(hardwareOf(link.name));
}

/** The interface on the host that is meant; `undefined` when it is not there. @throws KernelError; file errors */
export function findChosen(host: NetworkStack, choice: DeviceChoice): Link | undefined {
  switch (choice.by) {
    case "name":
      return findLink(host, choice.value);
    case "hardware address":
      return findByAddress(host, choice.value);
    case "path":
      return findInterface(host, choice.value);
    case "PCI address":
      return findInterface(host, pciDirectory(choice.value));
    case "auxiliary device":
      return findInterface(host, auxiliaryDirectory(choice.value));
  }
}

/** Several may have it: bridges and bonds take the address of a port, and VLANs that of the link below. The lowest is the device. */
function findByAddress(host: NetworkStack, mac: string): Link | undefined {
  const found = listLinks(host).filter((link) => link.mac === mac);
  const hardware = found.find((link) => link.kind === "");
  return hardware ?? found.find((link) => !found.some((other) => isAbove(link, other))) ?? found.at(0);
}

function isAbove(link: Link, other: Link): boolean {
  if (other.masterIndex === link.index) return true;
  return link.kind !== "veth" && link.linkNamespaceId === undefined && link.linkIndex === other.index;
}

function findInterface(host: NetworkStack, directory: string): Link | undefined {
  const name = interfaceOf(directory);
  return name === undefined ? undefined : findLink(host, name);
}

/** Whether a device that is away is the one that is meant. */
export function meansFormer(choice: DeviceChoice, state: FormerState): boolean {
  switch (choice.by) {
    case "name":
      return state.name === choice.value || state.alternativeNames.includes(choice.value);
    case "hardware address":
      return state.mac === choice.value || state.permanentMac === choice.value;
    case "path":
      return `${state.hardware}/`.startsWith(`${choice.value.replace(/\/+$/, "")}/`);
    case "PCI address":
      return state.pciAddress === choice.value;
    case "auxiliary device":
      return state.hardware.endsWith(`/${choice.value}`);
  }
}

export function isLoopback(link: Link): boolean {
  return (link.flags & IFF_LOOPBACK) !== 0;
}

/** The error of a device that is not on the host. @throws KernelError */
export function notFound(host: NetworkStack, choice: DeviceChoice): CniError {
  return invalidConfig(
    `failed to find host device: Link not found: there is no device ${choiceWords(choice)} on the host`,
    candidates(host),
  );
}

/** The host's hardware, or else whatever it has, for people to choose from. */
function candidates(host: NetworkStack): string {
  const all = listLinks(host).filter((link) => !isLoopback(link));
  const hardware = all.filter((link) => link.kind === "");
  const told: string[] = [];
  for (const link of hardware.length === 0 ? all : hardware) told.push(`${link.name} (${link.mac})`);
  if (told.length === 0) return "the host has no interface but lo";
  const more = told.length - TOLD_CANDIDATES;
  return `the host has: ${told.slice(0, TOLD_CANDIDATES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
