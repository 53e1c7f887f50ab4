/** Makes a device that is back on the host what it was there: name, address, MTU, state, master, names, addresses, routes. Idempotent. */
import { KernelError } from "../../pkg/linux/errno.ts";
import { addAlternativeName, removeAlternativeName } from "../../pkg/netlink/alternative-name.ts";
import { changeLink, findLink, findLinkByIndex, type Link, type LinkChange } from "../../pkg/netlink/link.ts";
import { makeAgain } from "../../pkg/netlink/make-again.ts";
import type { RouteMode } from "../../pkg/netlink/route.ts";
import { additionOf } from "../../pkg/netlink/route-copies.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type FormerState, ownMac } from "./former-state.ts";

/** What the kernel will answer the next time too. */
const FINAL_REFUSALS: readonly string[] = [
  ...["EINVAL", "EOPNOTSUPP", "EPERM", "EADDRNOTAVAIL", "ERANGE", "EEXIST"],
  ...["ENETUNREACH", "EHOSTUNREACH", "ENODEV", "ENOENT", "ESRCH"],
];

/**
 * Restores `link`, which has its name back or is to get it. What the kernel refuses for good is told as a warning, for it must not keep
 * the container from being deleted. @throws CniError 101 when the name is taken, KernelError when a repetition may help
 */
export function restoreDevice(
  host: NetworkStack,
  found: Link,
  state: FormerState,
  withAddresses: boolean,
  warn: (line: string) => void,
): void {
  const link = restoreName(host, found, state);
  const steps = new Steps(link.name, warn);
  // Somebody has put it into service again, and knows why it is as it is.
  const isInService = link.up && link.alias === state.alias;
  if (!isInService) restoreSettings(host, link, state, steps);
  if (!isInService) removeOtherNames(host, link, state, steps);
  addMissingNames(host, link, state, steps);
  if (withAddresses && !isInService) restoreAddresses(host, link, state, steps);
  steps.finish();
  // Last: until then the alias tells whose name it is, and that it is not done yet.
  if (link.alias !== state.alias) changeLink(host, link, { alias: state.alias });
}

/** Steps of which each is tried, whatever became of those before. */
class Steps {
  private readonly subject: string;
  private readonly warn: (line: string) => void;
  private failure: KernelError | undefined;

  constructor(subject: string, warn: (line: string) => void) {
    this.subject = subject;
    this.warn = warn;
  }

  attempt(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (FINAL_REFUSALS.includes(error.errno)) {
        this.warn(`host-device: ${this.subject} does not get back ${what}: ${error.message}`);
      } else {
        this.failure = new KernelError(`give ${this.subject} back ${what}`, error.number, error.extack);
      }
    }
  }

  /** Something that nobody can give back. */
  missing(what: string, reason: string): void {
    this.warn(`host-device: ${this.subject} does not get back ${what}: ${reason}`);
  }

  finish(): void {
    const failure = this.failure;
    if (failure === undefined) return;
    throw new CniError(ErrorCode.Io, failure.message, "the device is on the host; the call can be repeated");
  }
}

/** The error of a name that the host has given away; `current` is what the device is called now. */
export function hostNameTaken(formerName: string, current: string, isInside: boolean): CniError {
  const where = isInside ? "the device stays in the container" : `the device is on the host, as ${current}`;
  return new CniError(
    ErrorCode.Taken,
    `Cannot give ${current} back to the host as ${formerName}: the host has another interface of that name`,
    `${where}; rename or delete the host's ${formerName}, then repeat the call`,
  );
}

function restoreName(host: NetworkStack, link: Link, state: FormerState): Link {
  if (link.name === state.name) return link;
  const holder = findLink(host, state.name);
  if (holder !== undefined && holder.index !== link.index) throw hostNameTaken(state.name, link.name, false);
  if (holder !== undefined) removeAlternativeName(host, link, state.name);
  // Before Linux 6.2 only a link that is down can be renamed.
  changeLink(host, link, { up: false });
  changeLink(host, link, { name: state.name });
  return findLinkByIndex(host, link.index) ?? link;
}

/**
 * All at once but its state; one by one where the kernel refuses one of them, for it does not do those behind it then. Up comes last, in a
 * message of its own: a bond or team takes no port that is up, and the kernel sets a link up before it gives it a master.
 */
function restoreSettings(host: NetworkStack, link: Link, state: FormerState, steps: Steps): void {
  const masterIndex = masterOf(host, link, state, steps);
  const change: LinkChange = {
    up: masterIndex === undefined ? undefined : false,
    mac: ownMac(host, link) === state.mac ? undefined : state.mac,
    mtu: link.mtu === state.mtu ? undefined : state.mtu,
    group: link.group === state.group ? undefined : state.group,
    masterIndex,
    promiscuous: link.promiscuous === state.promiscuous ? undefined : state.promiscuous,
    allMulticast: link.allMulticast === state.allMulticast ? undefined : state.allMulticast,
    txQueueLength: link.txQueueLength === state.txQueueLength ? undefined : state.txQueueLength,
  };
  try {
    changeLink(host, link, change);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    restoreOneByOne(host, link, change, steps);
  }
  // Also where it was as wanted before: a bond has set its new port up.
  if (masterIndex === undefined && link.up === state.up) return;
  steps.attempt(state.up ? "its state: up" : "its state: down", () => changeLink(host, link, { up: state.up }));
}

function restoreOneByOne(host: NetworkStack, link: Link, change: LinkChange, steps: Steps): void {
  const { up, mac, mtu, group, masterIndex, promiscuous, allMulticast, txQueueLength } = change;
  const set = (what: string, single: LinkChange): void => steps.attempt(what, () => changeLink(host, link, single));
  if (up !== undefined) set("its state, to join its master", { up });
  if (mac !== undefined) set(`hardware address ${mac}`, { mac });
  if (mtu !== undefined) set(`MTU ${mtu}`, { mtu });
  if (group !== undefined) set(`group ${group}`, { group });
  if (masterIndex !== undefined) set("its master", { masterIndex });
  if (promiscuous !== undefined) set("promiscuous mode", { promiscuous });
  if (allMulticast !== undefined) set("all-multicast mode", { allMulticast });
  if (txQueueLength !== undefined) set("the length of its queue", { txQueueLength });
}

/** The index of the master that it is to get; `undefined` when nothing is to change. */
function masterOf(host: NetworkStack, link: Link, state: FormerState, steps: Steps): number | undefined {
  if (state.master === "") return link.masterIndex === 0 ? undefined : 0;
  const master = findLink(host, state.master);
  if (master === undefined) steps.missing(`its master ${state.master}`, "there is no such interface any more");
  return master === undefined || master.index === link.masterIndex ? undefined : master.index;
}

/** What the container has called it besides. */
function removeOtherNames(host: NetworkStack, link: Link, state: FormerState, steps: Steps): void {
  for (const name of link.alternativeNames) {
    if (state.alternativeNames.includes(name)) continue;
    steps.attempt(`its names: ${name} is none`, () => removeAlternativeName(host, link, name));
  }
}

function addMissingNames(host: NetworkStack, link: Link, state: FormerState, steps: Steps): void {
  for (const name of state.alternativeNames) {
    if (link.alternativeNames.includes(name)) continue;
    steps.attempt(`alternative name ${name}`, () => addAlternativeName(host, link, name));
  }
}

/** What it still has, because it never left the host, is not an error; nor is a route for which the host has another by now. */
function restoreAddresses(host: NetworkStack, link: Link, state: FormerState, steps: Steps): void {
  for (const copy of state.addresses) {
    steps.attempt(`address ${copy.address.prefix.toString()}`, () => makeAgain(host, copy.addition(link.index)));
  }
  for (const former of state.routes) {
    const copy = former.renumbered(state.index, link.index);
    // One way beside others, which IPv6 has kept. Nexthop objects go with their link.
    const mode: RouteMode = copy.isSharedBy(link.index) ? "append" : "exclusive";
    const addition = additionOf(copy, copy.route.table, link.index, false, mode);
    steps.attempt(`route ${copy.toString()}`, () => makeAgain(host, addition));
  }
}
