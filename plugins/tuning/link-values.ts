/** Attributes of the container's interface: read, set and set back. */
import { KernelError } from "../../pkg/linux/errno.ts";
import { changeLink, findLink, type Link, type LinkChange } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { drift, invalidConfig, messageOf } from "../../spec/errors.ts";
import type { LinkValues } from "./backup.ts";

export function isEmpty(values: LinkValues): boolean {
  return changesOf(values).length === 0;
}

/** What the link has now of what is to be changed. */
export function readFormerValues(link: Link, wanted: LinkValues): LinkValues {
  return {
    mac: wanted.mac === undefined ? undefined : link.mac,
    mtu: wanted.mtu === undefined ? undefined : link.mtu,
    promiscuous: wanted.promiscuous === undefined ? undefined : link.promiscuous,
    allMulticast: wanted.allMulticast === undefined ? undefined : link.allMulticast,
    txQueueLength: wanted.txQueueLength === undefined ? undefined : link.txQueueLength,
  };
}

/** @throws CniError 7 when the address is of another length than the link's: the kernel would take a part of it */
export function requireFittingMac(link: Link, mac: string | undefined): void {
  if (mac === undefined || link.mac === "" || mac.length === link.mac.length) return;
  throw invalidConfig(
    `Cannot give ${link.name} the hardware address ${mac}: its own, ${link.mac}, has another length`,
    "correct mac in the configuration, CNI_ARGS, runtimeConfig or args",
  );
}

/** Sets all of them, or fails with some of them set. @throws CniError 7 for a value that the link cannot have; KernelError */
export function setValues(stack: NetworkStack, link: Link, values: LinkValues): void {
  for (const { what, change } of changesOf(values)) {
    try {
      changeLink(stack, link, change);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw invalidConfig(`Cannot set ${what} of ${link.name}: ${messageOf(error)}`, adviceFor(change));
    }
  }
}

function adviceFor(change: LinkChange): string {
  if (change.mtu !== undefined) return "the kind of interface, and the one below it, limit its MTU";
  if (change.mac !== undefined) return "a unicast address; some hardware changes it only while it is down";
  return "this kind of interface does not have it";
}

/** Sets them back; no link, nothing to do. What it does not take back is told to `warn`. @throws KernelError to be tried again */
export function restoreValues(
  stack: NetworkStack,
  name: string,
  values: LinkValues,
  warn: (line: string) => void,
): void {
  const changes = changesOf(values);
  const link = changes.length === 0 ? undefined : findLink(stack, name);
  if (link === undefined) return;
  for (const { what, change } of changes.toReversed()) {
    try {
      changeLink(stack, link, change);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      warn(`tuning: ${what} of ${name} cannot be set back: ${messageOf(error)}`);
    }
  }
}

/** Refusals that a repetition would meet again. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error ? isRefusedValue(error) : false;
}

function isRefusedValue(error: Error): boolean {
  if (!(error instanceof KernelError)) return false;
  return ["EINVAL", "ERANGE", "EADDRNOTAVAIL", "EOPNOTSUPP", "EPERM", "EBUSY", "ENODEV"].includes(error.errno);
}

interface NamedChange {
  /** "MTU 1400", for messages. */
  readonly what: string;
  readonly change: LinkChange;
}

/** A message each: of several in one, the kernel tells not which it refuses. */
function changesOf(values: LinkValues): NamedChange[] {
  const { mac, mtu, promiscuous, allMulticast, txQueueLength } = values;
  const changes: NamedChange[] = [];
  if (mac !== undefined) changes.push({ what: `hardware address ${mac}`, change: { mac } });
  if (promiscuous !== undefined)
    changes.push({ what: `promiscuous mode ${onOff(promiscuous)}`, change: { promiscuous } });
  if (mtu !== undefined) changes.push({ what: `MTU ${mtu}`, change: { mtu } });
  if (allMulticast !== undefined)
    changes.push({ what: `all-multicast mode ${onOff(allMulticast)}`, change: { allMulticast } });
  if (txQueueLength !== undefined) changes.push({ what: `queue length ${txQueueLength}`, change: { txQueueLength } });
  return changes;
}

function onOff(flag: boolean): string {
  return flag ? "on" : "off";
}

/** @throws CniError 102 for the first that the link does not have */
export function verifyValues(link: Link, wanted: LinkValues): void {
  const current = changesOf(readFormerValues(link, wanted));
  for (const [index, { what }] of changesOf(wanted).entries()) {
    const has = current.at(index)?.what ?? "";
    if (has !== what) throw drift(`${link.name} has ${has}, configured is ${what}`);
  }
}
