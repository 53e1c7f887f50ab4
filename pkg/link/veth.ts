/** Veth pairs between the host and a sandbox: made whole, found again by their owner's tag. Used by bridge and ptp. */

import { CniError, ErrorCode } from "../../spec/errors.ts";
import { textDigest } from "../codec/sha512.ts";
import { KernelError } from "../linux/errno.ts";
import { createVeth } from "../netlink/create-link.ts";
import {
  changeLink,
  deleteLink,
  findLink,
  findLinkByIndex,
  generateNoAddresses,
  type Link,
  listLinks,
} from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { type Attachment, keyOfTag } from "../skel/attachment.ts";
import type { Teardown, Undo } from "../skel/undo.ts";
import { ensureSysctl, isWriteRefused, readSysctl, writeSysctl, writeSysctls } from "../sysctl/sysctl.ts";
import { findMade } from "./made-link.ts";
import { nameTaken } from "./name-taken.ts";
import { randomMac } from "./random-mac.ts";

/** Names tried for the host's end before giving up: each collides with a probability of 1 to 2³². */
const NAME_PROBES = 10;

export interface VethOptions {
  /** Bytes for both ends; 0 or less leaves the kernel's. */
  readonly mtu: number;
  /** For the container's end. */
  readonly mac: string | undefined;
  /** Bridge that the host's end becomes a port of. */
  readonly masterIndex: number | undefined;
}

export interface VethPair {
  readonly host: Link;
  readonly container: Link;
}

/**
 * Connects the sandbox: its end is called `ifName`, the host's end has the owner's tag as alias and is up. What a crashed
 * ADD of the same owner left is replaced.
 * @throws CniError 101 when the sandbox has an interface of that name; KernelError
 */
export function connectVeth(
  host: NetworkStack,
  sandbox: NetworkStack,
  attachment: Attachment,
  options: VethOptions,
  undo: Undo,
): VethPair {
  // Before it is made: that nobody heard the kernel's answer does not mean that it is not there.
  undo.push("remove the host's end", () => removeHostEnd(host, attachment));
  const name = createNamed(host, sandbox, attachment, options);
  const created = findMade(host, name);
  if (options.masterIndex === undefined) prepareHostEnd(host, name);
  else preparePort(host, created);
  changeLink(host, created, { alias: attachment.tag, up: true, masterIndex: options.masterIndex });
  return { host: created, container: findMade(sandbox, attachment.ifName) };
}

function createNamed(host: NetworkStack, sandbox: NetworkStack, attachment: Attachment, options: VethOptions): string {
  for (let probe = 0; probe < NAME_PROBES; probe++) {
    const name = hostName(attachment, probe);
    if (createPair(host, sandbox, attachment, options, name)) return name;
    if (removeLeftover(host, name, attachment) && createPair(host, sandbox, attachment, options, name)) return name;
  }
  throw new CniError(
    ErrorCode.Taken,
    `Cannot name the host's end of ${attachment.toString()}: ${NAME_PROBES} names are taken`,
  );
}

/** Whether the pair was made; not when the host's name is taken. */
function createPair(
  host: NetworkStack,
  sandbox: NetworkStack,
  attachment: Attachment,
  options: VethOptions,
  name: string,
): boolean {
  try {
    createVeth(host, {
      name,
      mtu: Math.max(0, options.mtu),
      mac: randomMac(),
      peer: { name: attachment.ifName, mac: options.mac, namespace: sandbox.namespace },
    });
    return true;
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
    if (findLink(sandbox, attachment.ifName) !== undefined) throw nameTaken(attachment.ifName);
    return false;
  }
}

/** `veth` and eight hexadecimal digits that follow from the owner: a repeated ADD finds what a crashed one made. */
export function hostName(attachment: Attachment, probe: number): string {
  return `veth${textDigest(`${attachment.key}/${probe}`, 8)}`;
}

/** A link under our name: this owner's goes, another's stays and the next name is tried. Whether the name is free now. */
function removeLeftover(host: NetworkStack, name: string, attachment: Attachment): boolean {
  const found = findLink(host, name);
  if (found === undefined) return true;
  if (!belongsTo(found, attachment)) return false;
  deleteLink(host, found);
  return true;
}

/** By its tag; or, where a killed ADD had no time to write one, by its name alone, down and in no bridge. */
function belongsTo(link: Link, attachment: Attachment): boolean {
  if (link.kind !== "veth") return false;
  if (link.alias === "") return !link.up && link.masterIndex === 0;
  return keyOfTag(link.alias) === attachment.key;
}

/**
 * Makes sure that the sandbox has no interface of that name. Before anything is changed, so that a repeated ADD disturbs nothing.
 * What a killed ADD of the same owner left half done is removed: its end in the container is still down, which only where
 * `staysDown` is how an ADD ends.
 * @throws CniError 101
 */
export function requireFreeName(
  host: NetworkStack,
  sandbox: NetworkStack,
  attachment: Attachment,
  staysDown = false,
): void {
  const found = findLink(sandbox, attachment.ifName);
  if (found === undefined) return;
  const end = otherEnd(host, found);
  const name = end?.name ?? "";
  const isOurs = end !== undefined && belongsTo(end, attachment) && isHostName(attachment, name);
  if (end === undefined || !isOurs || found.up || staysDown) throw nameTaken(attachment.ifName);
  deleteLink(host, end);
}

/**
 * Before the host's end of a pair is up: no routes by a container's router advertisements (CVE-2020-10749), and no second of
 * duplicate detection on a link with two ends that we made both, in which the host could not ask for an IPv6 neighbour.
 */
export function prepareHostEnd(host: NetworkStack, name: string): void {
  try {
    writeSysctls(host.namespace, [
      [`net/ipv6/conf/${name}/accept_ra`, "0"],
      [`net/ipv6/conf/${name}/accept_dad`, "0"],
    ]);
  } catch (error) {
    if (!isWriteRefused(error) || !ignoresAdvertisements(host, name)) throw error;
  }
}

/**
 * Before the host's end is up, where it is a bridge's port: no addresses at all, for none would ever be reached. Forwarding of IPv6
 * would make the kernel keep one more for each of them, whose memory alone has the link's removal wait for another grace period.
 */
function preparePort(host: NetworkStack, end: Link): void {
  generateNoAddresses(host, end);
  try {
    writeSysctl(host.namespace, `net/ipv6/conf/${end.name}/accept_ra`, "0");
  } catch (error) {
    if (!isWriteRefused(error)) throw error; // what comes in by a port is for the bridge, which is asked on its own
  }
}

/** The host's end of a pair, `undefined` when it is elsewhere or `end` is no veth. */
export function otherEnd(host: NetworkStack, end: Link): Link | undefined {
  if (end.kind !== "veth" || end.linkIndex === 0) return undefined;
  const other = findLinkByIndex(host, end.linkIndex);
  // An index counts in one namespace only: what has it here is the other end if it points back.
  return other !== undefined && other.kind === "veth" && other.linkIndex === end.index ? other : undefined;
}

/** Containers must not be able to hand the host routes by router advertisements (CVE-2020-10749). */
export function refuseAdvertisements(host: NetworkStack, name: string): void {
  try {
    ensureSysctl(host.namespace, `net/ipv6/conf/${name}/accept_ra`, "0");
  } catch (error) {
    if (!isWriteRefused(error) || !ignoresAdvertisements(host, name)) throw error;
  }
}

/** Where accept_ra cannot be written: a router takes no routes from others unless accept_ra is 2 (ip-sysctl.rst). */
function ignoresAdvertisements(host: NetworkStack, name: string): boolean {
  const six = `net/ipv6/conf/${name}`;
  const accepts = readSysctl(host.namespace, `${six}/accept_ra`) ?? "0";
  if (accepts === "0" || readSysctl(host.namespace, `${six}/disable_ipv6`) === "1") return true;
  return accepts === "1" && readSysctl(host.namespace, `${six}/forwarding`) === "1";
}

/** Whether it is one of the names that the host's end may have: the first, unless others had it. */
function isHostName(attachment: Attachment, name: string): boolean {
  for (let probe = 0; probe < NAME_PROBES; probe++) if (hostName(attachment, probe) === name) return true;
  return false;
}

/** The host's end of an attachment; `undefined` when there is none. */
export function findHostEnd(host: NetworkStack, attachment: Attachment): Link | undefined {
  for (let probe = 0; probe < NAME_PROBES; probe++) {
    const link = findLink(host, hostName(attachment, probe));
    if (link !== undefined && belongsTo(link, attachment)) return link;
  }
  return undefined;
}

function removeHostEnd(host: NetworkStack, attachment: Attachment): void {
  const end = findHostEnd(host, attachment);
  if (end !== undefined) deleteLink(host, end);
}

/**
 * Removes an attachment's pair: by the host's end, wherever the other end is, or else, where others made the pair, by the end
 * in the sandbox, which may be gone (`undefined`). Another attachment's interface stays. Absence is success.
 */
export function removePair(host: NetworkStack, sandbox: NetworkStack | undefined, attachment: Attachment): void {
  removeHostEnd(host, attachment);
  const inside = sandbox === undefined ? undefined : findLink(sandbox, attachment.ifName);
  if (sandbox === undefined || inside === undefined || inside.kind !== "veth") return;
  const owner = keyOfTag(otherEnd(host, inside)?.alias ?? "");
  if (owner === undefined || owner === attachment.key) deleteLink(sandbox, inside);
}

/**
 * Removes the pairs whose owner is stale by `isStale(tag)`, each a step of `teardown`. Whether all are gone, so that what they had can be
 * given to others. @throws KernelError when they cannot be listed
 */
export function collectPairs(host: NetworkStack, isStale: (tag: string) => boolean, teardown: Teardown): boolean {
  let areGone = true;
  for (const link of listLinks(host, { kind: "veth" }).filter((each) => isStale(each.alias))) {
    if (!teardown.attempt(`remove ${link.name}`, () => deleteLink(host, link))) areGone = false;
  }
  return areGone;
}
