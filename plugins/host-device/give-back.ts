/** Gives a device back to the host: out of the container, or from where the kernel has put it when the container's namespace ended. */
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
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
export function moveHome(host: NetworkStack, container: NetworkStack, inside: Link, name: string): void {
  if (findLink(host, name) !== undefined) throw hostNameTaken(name, inside.name, true);
  const home = NetworkNamespace.current();
  try {
    changeLink(container, inside, { namespace: home, name });
  } finally {
    home.close();
  }
}
