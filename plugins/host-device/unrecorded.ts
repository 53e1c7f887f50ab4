/** Devices that no record tells of, because the reference suite has moved them: found by what little there is, and given back. */
import type { Address } from "../../pkg/ip/address.ts";
import { KernelError } from "../../pkg/linux/errno.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { changeLink, findLink, findLinkByIndex, type Link, listLinks } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { interfaceNameProblem } from "../../spec/names.ts";
import type { Result } from "../../spec/result.ts";
import type { HostDeviceConfig } from "./config.ts";
import { moveHome } from "./give-back.ts";

/** A device that is not on record, because the reference suite has moved it: its name on the host is in its alias. */
export interface Unrecorded {
  readonly link: Link;
  readonly formerName: string;
}

/**
 * The device of an attachment without a record, in its container. A container may make interfaces and give them any alias: what it calls
 * its own is left to it unless the configuration or ADD's result (`told`, where the runtime has it) speaks for its being the host's.
 * @throws KernelError
 */
export function findUnrecorded(
  host: NetworkStack,
  container: NetworkStack,
  ifName: string,
  config: HostDeviceConfig,
  told: Result | undefined,
): Unrecorded | undefined {
  const found = findLink(container, ifName);
  // Not the link that has it as an alternative name.
  const named = found?.name === ifName ? found : undefined;
  if (config.device !== "") return findCalled(host, container, named, config.device, told);
  if (named === undefined || interfaceNameProblem(named.alias) !== undefined) return undefined;
  return isFromHost(host, container, named, config.hwaddr, told) ? { link: named, formerName: named.alias } : undefined;
}

/** Where the configuration names no device: hardware, which no container can make, or what has the address that was asked for or told. */
function isFromHost(
  host: NetworkStack,
  container: NetworkStack,
  link: Link,
  hwaddr: string,
  told: Result | undefined,
): boolean {
  if (link.kind === "" && link.permanentMac !== "") return true;
  if (hwaddr === "") return isAsTold(container, link, told);
  // Others may have a device's address, as VLANs and bridges do, which are of other kinds.
  if (listLinks(host).some(({ kind, mac }) => kind === link.kind && mac === hwaddr)) return false;
  return link.mac === hwaddr || isAsTold(container, link, told);
}

/** The device that the host calls `device`: mostly under CNI_IFNAME (`named`), or under whatever name the container has given it. */
function findCalled(
  host: NetworkStack,
  container: NetworkStack,
  named: Link | undefined,
  device: string,
  told: Result | undefined,
): Unrecorded | undefined {
  if (findLink(host, device) !== undefined) return undefined;
  if (named?.alias === device) return { link: named, formerName: device };
  const renamed = listLinks(container).find((link) => link.alias === device);
  if (renamed !== undefined) return { link: renamed, formerName: device };
  // The container may have removed the alias.
  if (named === undefined || named.alias !== "" || !isAsTold(container, named, told)) return undefined;
  return { link: named, formerName: device };
}

function isAsTold(container: NetworkStack, link: Link, told: Result | undefined): boolean {
  if (told === undefined) return false;
  if (told.interfaces.some((each) => each.name === link.name && each.mac === link.mac)) return true;
  const given = told.ips.map((ip): Address => ip.address.address);
  return listAddresses(container, link).some(({ prefix }) => given.some((each) => each.equals(prefix.address)));
}

/**
 * Gives the host back what is not on record, down, as the reference does: nobody knows how it was. Whether it could be moved: what the kernel
 * lets out of no namespace, such as a bridge, was made in this one, and is left there. @throws CniError 101; KernelError
 */
export function giveBackUnrecorded(host: NetworkStack, container: NetworkStack, found: Unrecorded): boolean {
  const { link, formerName } = found;
  try {
    moveHome(host, container, link, formerName);
  } catch (error) {
    if (error instanceof KernelError && (error.errno === "EINVAL" || error.errno === "EOPNOTSUPP")) return false;
    throw error;
  }
  const back = findLink(host, formerName);
  if (back !== undefined) changeLink(host, back, { alias: "" });
  return true;
}

/**
 * The same where the kernel has put the device on the host by itself, under the container's name for it (`isInsideName`) or as `devN`: only
 * where the configuration names it, so that there is no doubt. Whether there was one. @throws KernelError
 */
export function adoptUnrecorded(
  host: NetworkStack,
  configured: string,
  isInsideName: (name: string) => boolean,
): boolean {
  if (configured === "" || findLink(host, configured) !== undefined) return false;
  const isStray = ({ up, alias, name }: Link): boolean =>
    !up && alias === configured && (isInsideName(name) || /^dev[0-9]+$/.test(name));
  const found = listLinks(host).filter(isStray);
  const link = found.at(0);
  if (link === undefined || found.length > 1) return false;
  changeLink(host, link, { up: false });
  changeLink(host, link, { name: configured });
  changeLink(host, findLinkByIndex(host, link.index) ?? link, { alias: "" });
  return true;
}
