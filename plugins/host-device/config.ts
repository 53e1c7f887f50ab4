/** host-device's configuration: every key once. */
import { readProbing } from "../../pkg/address-probe/keys.ts";
import type { Probing } from "../../pkg/address-probe/timing.ts";
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import { macFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";

export interface HostDeviceConfig {
  /** Ways to say which device, the first that is not empty counts. */
  readonly device: string;
  readonly hwaddr: string;
  readonly kernelpath: string;
  readonly pciBusID: string;
  /** The device that a device plugin has chosen for the container: a PCI address or an auxiliary device. */
  readonly deviceID: string;
  /** The device belongs to a program (DPDK) and not to the kernel, whatever its driver. */
  readonly dpdkMode: boolean;
  readonly restoreAddresses: boolean;
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly probing: Probing;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): HostDeviceConfig => {
  const found = {
    device: keys.text("device", "", "the device by name"),
    hwaddr: keys.optional("hwaddr", macFormat, "the device by hardware address") ?? "",
    kernelpath: keys.text("kernelpath", "", "the device by its directory below /sys/devices/"),
    pciBusID: keys.text("pciBusID", "", "the device by PCI address, such as 0000:65:00.1"),
    deviceID: keys.members(
      "runtimeConfig",
      (runtime: Keys): string =>
        runtime.text("deviceID", "", "PCI address or auxiliary device (capability `deviceID`); replaces pciBusID"),
      "what the runtime adds for capabilities",
    ),
    dpdkMode: keys.flag("DPDKMode", false, "a program drives the device, not the kernel: it stays where it is"),
    restoreAddresses: keys.flag(
      "restoreAddresses",
      false,
      "the host gets the device back with the addresses and routes that it had there",
    ),
    ipamType: readIpamType(keys, "address management; without it the container configures the device itself"),
    ipv6: readSixPolicy(keys),
    dns: readDns(keys),
  };
  refuseUnlessName(keys, "pciBusID", found.pciBusID);
  refuseUnlessName(keys, "runtimeConfig.deviceID", found.deviceID);
  if (found.kernelpath !== "" && !isKernelPath(found.kernelpath)) {
    const reason = `kernel device path "${found.kernelpath}" must be absolute and begin with /sys/devices/`;
    keys.refuse(reason, "kernelpath");
  }
  return { ...found, probing: readProbing(keys, found.ipamType) };
};

/** What is joined to a path below /sys must stay there. */
function refuseUnlessName(keys: Keys, key: string, text: string): void {
  const stays = !text.includes("/") && !text.includes("\0") && text !== "." && text !== "..";
  if (!stays) keys.refuse(`"${text}" is no name of a device`, key);
}

function isKernelPath(path: string): boolean {
  return path.startsWith("/sys/devices/") && !path.split("/").includes("..") && !path.includes("\0");
}
