/** Gives a device back to the host: out of the container, or from where the kernel has put it when the container's namespace ended. */
import type { Address } from "../../pkg/ip/address.ts";
import { listAddresses } from "../../pkg/netlink/address.ts";
import { changeLink, findLink, findLinkByIndex, type Link, listLinks } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { interfaceNameProblem } from "../../spec/names.ts";
import type { Result } from "../../spec/result.ts";
import type { FormerState } from "./former-state.ts";
import { hostNameTaken, restoreDevice } from "./restore.ts";
import { findInContainer, findOnHost, isHardware, withContainer } from "./whereabouts.ts";

/**
 * Where the device turned out to be: `returned`, it is on the host as it was; `lost`, it is nowhere, and there is nothing that could come
 * back; `away`, the hardware exists, in a namespace that cannot be seen from here.
 */
export type Outcome = "returned" | "lost" | "away";

/** Whether the device has left the container: an address may be given to others only then. */
export class Departure {
  hasLeft = false;
}

/**
 * Brings a device back that is on record. Idempotent.
 * @throws CniError 101 when the host has given its name away, with the device where it was; KernelError
 */
export function giveBack(
  host: NetworkStack,
  given: NetworkStack | undefined,
  state: FormerState,
  withAddresses: boolean,
  departure: Departure,
  warn: (line: string) => void,
): Outcome {
  const back = bringOut(host, given, state) ?? findOnHost(host, state);
  departure.hasLeft = true;
  if (back === undefined) return isHardware(state) ? "away" : "lost";
  restoreDevice(host, back, state, withAddresses, warn);
  return "returned";
}

/** The device on the host, taken out of its container; `undefined` when it is in none that can be reached. */
function bringOut(host: NetworkStack, given: NetworkStack | undefined, state: FormerState): Link | undefined {
  return withContainer(given, state, (container: NetworkStack | undefined): Link | undefined => {
    const inside = container === undefined ? undefined : findInContainer(container, state);
    if (container === undefined || inside === undefined) return undefined;
    // What else is to be done is done on the host, where it can be repeated.
    moveHome(host, container, inside, state.name);
    return findLink(host, state.name);
  });
}

/** One message moves and renames. @throws CniError 101 when the name is taken: the device has not been touched then; KernelError */
function moveHome(host: NetworkStack, container: NetworkStack, inside: Link, name: string): void {
  if (findLink(host, name) !== undefined) throw hostNameTaken(name, inside.name, true);
  const home = NetworkNamespace.current();
  try {
    changeLink(container, inside, { namespace: home, name });
  } finally {
    home.close();
  }
}

/** A device that is not on record, because the reference suite has moved it: its name on the host is in its alias. */
export interface Unrecorded {
  readonly link: Link;
  readonly formerName: string;
}

/**
 * The device of an attachment without a record, in its container: under CNI_IFNAME, or, where the container has renamed it, the one whose
 * alias is the name that the configuration has. `configured` is that name, empty where the configuration has none; `told` is ADD's result,
 * where the runtime has it. @throws KernelError
 */
export function findUnrecorded(
  host: NetworkStack,
  container: NetworkStack,
  ifName: string,
  configured: string,
  told: Result | undefined,
): Unrecorded | undefined {
  const named = findLink(container, ifName);
  if (named?.name === ifName) {
    const formerName = formerNameOf(host, container, named, configured, told);
    return formerName === "" ? undefined : { link: named, formerName };
  }
  const renamed = listLinks(container).find((link) => configured !== "" && link.alias === configured);
  return renamed === undefined ? undefined : { link: renamed, formerName: configured };
}

/** Empty where the link is nothing that was taken from the host. */
function formerNameOf(
  host: NetworkStack,
  container: NetworkStack,
  link: Link,
  configured: string,
  told: Result | undefined,
): string {
  if (interfaceNameProblem(link.alias) === undefined) return link.alias;
  // The container may have removed the alias; the host has no device of the name then.
  if (link.alias !== "" || findLink(host, configured) !== undefined) return "";
  const isHardware = link.kind === "" && link.permanentMac !== "";
  return isHardware || isAsTold(container, link, told) ? configured : "";
}

function isAsTold(container: NetworkStack, link: Link, told: Result | undefined): boolean {
  if (told === undefined) return false;
  if (told.interfaces.some((each) => each.name === link.name && each.mac === link.mac)) return true;
  const given = told.ips.map((ip): Address => ip.address.address);
  return listAddresses(container, link).some(({ prefix }) => given.some((each) => each.equals(prefix.address)));
}

/** Gives the host back what is not on record, down, as the reference does: nobody knows how it was. @throws CniError 101; KernelError */
export function giveBackUnrecorded(host: NetworkStack, container: NetworkStack, found: Unrecorded): void {
  const { link, formerName } = found;
  moveHome(host, container, link, formerName);
  const back = findLink(host, formerName);
  if (back !== undefined) changeLink(host, back, { alias: "" });
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
