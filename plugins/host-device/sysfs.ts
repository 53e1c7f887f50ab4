/**
 * Devices as sysfs shows them: which interface, driver and PCI address belong together. Interfaces are those of the namespace that
 * sysfs was mounted in, which is the host's. Source: Documentation/ABI/testing/sysfs-class-net, sysfs-bus-pci.
 */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { isFileError } from "../../pkg/linux/errno.ts";

const PCI_DEVICES = "/sys/bus/pci/devices";
const AUXILIARY_DEVICES = "/sys/bus/auxiliary/devices";
/** domain:bus:device.function */
const PCI_ADDRESS = /^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
/** Drivers that hand a PCI device to a program: the kernel has no interface for it then. */
const programDrivers: readonly string[] = ["vfio-pci", "uio_pci_generic", "igb_uio"];

export function pciDirectory(address: string): string {
  return `${PCI_DEVICES}/${address}`;
}

export function auxiliaryDirectory(name: string): string {
  return `${AUXILIARY_DEVICES}/${name}`;
}

export function isThere(directory: string): boolean {
  return existsSync(directory);
}

/** The driver of a PCI device; `undefined` where none is bound. */
export function pciDriver(address: string): string | undefined {
  const path = realPath(`${pciDirectory(address)}/driver`);
  return path === undefined ? undefined : lastPart(path);
}

export function isProgramDriver(driver: string): boolean {
  return programDrivers.includes(driver);
}

/** The first interface of a device (in the host); a virtio device has it one level further down. `undefined` when there is none. */
export function interfaceOf(directory: string): string | undefined {
  const own = namesIn(`${directory}/net`).at(0);
  if (own !== undefined) return own;
  for (const name of namesIn(directory)) {
    const below = name.startsWith("virtio") ? namesIn(`${directory}/${name}/net`).at(0) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

/** The directory of the hardware behind an interface of the host; empty for virtual ones. */
export function hardwareOf(interfaceName: string): string {
  return realPath(`/sys/class/net/${interfaceName}/device`) ?? "";
}

/** The PCI address of a hardware directory, also of a virtio device below a PCI one; empty for other buses. */
export function pciAddressOf(hardware: string): string {
  const parts = hardware.split("/");
  const last = parts.at(-1) ?? "";
  const own = last.startsWith("virtio") ? (parts.at(-2) ?? "") : last;
  return PCI_ADDRESS.test(own) ? own : "";
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (_) {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted((a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0));
  } catch (error) {
    if (isFileError(error, "ENOENT") || isFileError(error, "ENOTDIR")) return [];
    throw error;
  }
}
