/** Where a device is now that was given to a container: there, back on the host by the kernel's own doing, or nowhere to be seen. */
import { findLink, type Link, listLinks } from "../../pkg/netlink/link.ts";
import { NetworkStack } from "../../pkg/netlink/stack.ts";
import { waitForNewLink } from "../../pkg/netlink/wait.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import type { FormerState } from "./former-state.ts";
import { hardwareOf, isThere } from "./sysfs.ts";

/** The kernel gives hardware back when it takes a namespace apart, which it does in its own time. */
const RETURN_DEADLINE_MS = 3000;

/**
 * Whether a link of the host is that device. Hardware is known by its directory in sysfs and its own address, whatever became of name,
 * address and alias; a virtual device by what nobody has changed.
 */
export function isOnHost(link: Link, state: FormerState): boolean {
  if (link.kind !== state.kind) return false;
  if (state.hardware !== "") return hardwareOf(link.name) === state.hardware && hasPermanentMac(link, state);
  if (state.permanentMac !== "") return link.permanentMac === state.permanentMac;
  return isUnchanged(link, state);
}

function isUnchanged(link: Link, state: FormerState): boolean {
  return link.alias === state.name || (link.index === state.index && link.mac === state.mac);
}

/** One device may have several interfaces, a port each. */
function hasPermanentMac(link: Link, state: FormerState): boolean {
  return state.permanentMac === "" || link.permanentMac === state.permanentMac;
}

/** Whether a link of the container is that device; its directory in sysfs cannot be seen from here. */
export function isInContainer(link: Link, state: FormerState): boolean {
  if (link.kind !== state.kind || !hasPermanentMac(link, state)) return false;
  if (state.permanentMac !== "") return true;
  return isUnchanged(link, state);
}

export function findOnHost(host: NetworkStack, state: FormerState): Link | undefined {
  return listLinks(host).find((link) => isOnHost(link, state));
}

/** The device in the container: mostly under CNI_IFNAME, or under whatever name the container has given it. */
export function findInContainer(container: NetworkStack, state: FormerState): Link | undefined {
  const named = findLink(container, state.attachment.ifName);
  if (named !== undefined && isInContainer(named, state)) return named;
  return listLinks(container).find((link) => isInContainer(link, state));
}

/**
 * Runs `action` with the namespace that the device went to, `undefined` where that cannot be reached any more. The one that the runtime
 * names may be another by now, at the same path: what is in that belongs to others. It mostly has another number, but not always, for the
 * kernel gives a number again once its namespace has ended. That is why an ADD settles the records of earlier namespaces with the number of
 * its own (take-device.ts), and why a device is taken only where it looks as it was.
 */
export function withContainer<T>(
  given: NetworkStack | undefined,
  state: FormerState,
  action: (container: NetworkStack | undefined) => T,
): T {
  if (given?.namespace?.identity() === state.namespace) return action(given);
  // By another path, or without any: the runtime gives none when it takes the container for dead, and GC has none.
  const recorded = state.namespacePath === "" ? undefined : NetworkNamespace.find(state.namespacePath);
  if (recorded === undefined) return action(undefined);
  try {
    return recorded.identity() === state.namespace ? within(recorded, action) : action(undefined);
  } finally {
    recorded.close();
  }
}

/** Whether the container that a record tells of has the device now. @throws KernelError */
export function isInItsContainer(state: FormerState): boolean {
  return withContainer(undefined, state, (container: NetworkStack | undefined): boolean => {
    return container !== undefined && findInContainer(container, state) !== undefined;
  });
}

function within<T>(namespace: NetworkNamespace, action: (container: NetworkStack | undefined) => T): T {
  const stack = NetworkStack.of(namespace);
  try {
    return action(stack);
  } finally {
    stack.close();
  }
}

/**
 * Waits for a device that is away and whose namespace is gone: the kernel moves hardware to the first namespace of the machine, which mostly
 * is the host's. While its namespace is there nobody gives it back. Whether it is on the host. @throws KernelError; Interrupted
 */
export function awaitReturn(host: NetworkStack, given: NetworkStack | undefined, state: FormerState): boolean {
  const isThere = withContainer(
    given,
    state,
    (container: NetworkStack | undefined): boolean => container !== undefined,
  );
  if (isThere) return false;
  const isBack = (link: Link): boolean => isOnHost(link, state);
  return waitForNewLink(host, `${state.name} to come back`, isBack, RETURN_DEADLINE_MS) !== undefined;
}

/** Whether there still is a device that could come back. */
export function isHardware(state: FormerState): boolean {
  return state.hardware !== "" && isThere(state.hardware);
}
