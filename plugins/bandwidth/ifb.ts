/**
 * The device that what a container sends is redirected to, for it is the sender's queue alone that can wait: an ifb each, called
 * as the reference calls it. Its alias is its owner.
 */

import { textDigest } from "../../pkg/codec/sha512.ts";
import { findMade } from "../../pkg/link/made-link.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { createLink } from "../../pkg/netlink/create-link.ts";
import { listFilters } from "../../pkg/netlink/filter.ts";
import { changeLink, deleteLink, findLink, type Link, listLinks } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { handle } from "../../pkg/netlink/traffic.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { needing } from "./kernel-parts.ts";

const PREFIX = "bwp";
const HASH_DIGITS = 12;
/** The handle of every ingress queue. */
export const INGRESS_HANDLE: number = handle(0xffff);

/** The reference's name, which knows nothing of the interface, and one for a second limited interface on the same network. */
export function ifbNames(attachment: Attachment): readonly string[] {
  const { network, containerId, ifName } = attachment;
  return [nameFor(`${network}${containerId}`), nameFor(`${network}${containerId}${ifName}`)];
}

function nameFor(text: string): string {
  return `${PREFIX}${textDigest(text, HASH_DIGITS)}`;
}

/**
 * The attachment's device, made where it is missing; down, unless it was up before. `end` is the host's end of the container's pair.
 * @throws CniError 101 when both names belong to others; KernelError
 */
export function ensureIfb(host: NetworkStack, attachment: Attachment, end: Link): Link {
  for (const name of ifbNames(attachment)) {
    const found = findLink(host, name) ?? createIfb(host, name, end.mtu);
    if (found.kind !== "ifb" || !isFree(host, found, attachment, end)) continue;
    // The name is no proof that it is ours until it has our tag: the kernel takes no alias at creation.
    changeLink(host, found, { alias: attachment.tag, mtu: end.mtu, txQueueLength: 0 });
    return found;
  }
  throw new CniError(
    ErrorCode.Taken,
    `Cannot name the ifb device of ${attachment.toString()}: ${ifbNames(attachment).join(" and ")} belong to others`,
    "delete what nobody needs: ip link show type ifb",
  );
}

function createIfb(host: NetworkStack, name: string, mtu: number): Link {
  try {
    needing("ifb", () => createLink(host, { name, kind: "ifb", mtu }));
  } catch (error) {
    // Somebody was faster: whose it is, is seen next.
    if (!isKernelError(error, "EEXIST")) throw error;
  }
  return findMade(host, name);
}

/** Ours by its tag; without one, ours if it is fed by the attachment's own interface, or by none at all (left half done). */
function isFree(host: NetworkStack, ifb: Link, attachment: Attachment, end: Link): boolean {
  const owner = keyOfTag(ifb.alias);
  if (owner !== undefined) return owner === attachment.key;
  return redirectsTo(host, end, ifb.index) || !isFed(host, ifb.index);
}

/** Whether any interface redirects what it receives to that link. */
function isFed(host: NetworkStack, index: number): boolean {
  return listLinks(host, { kind: "veth" }).some((link) => redirectsTo(host, link, index));
}

/** Whether what the link receives is redirected to the one with that index. */
export function redirectsTo(host: NetworkStack, link: Link, index: number): boolean {
  return listFilters(host, link, INGRESS_HANDLE).some((filter) => filter.redirectTo === index);
}

/** The device that the host's end is limited by, or that an ADD has left half done; `undefined` when there is none. */
export function findIfbOf(host: NetworkStack, attachment: Attachment, end: Link): Link | undefined {
  const found = findIfb(host, attachment);
  return found !== undefined && isFree(host, found, attachment, end) ? found : undefined;
}

/**
 * The attachment's device: by its tag; else the one of the reference's name that carries no tag, for so the reference leaves it,
 * and so does an ADD that was killed. `undefined` when there is none.
 */
export function findIfb(host: NetworkStack, attachment: Attachment): Link | undefined {
  const found: Link[] = [];
  for (const name of ifbNames(attachment)) {
    const link = findLink(host, name);
    if (link !== undefined && link.kind === "ifb") found.push(link);
  }
  const tagged = found.find((link) => keyOfTag(link.alias) === attachment.key);
  return tagged ?? found.find((link) => keyOfTag(link.alias) === undefined);
}

/** Deletes the attachment's devices; absence is success. @throws KernelError */
export function removeIfb(host: NetworkStack, attachment: Attachment): void {
  const link = findIfb(host, attachment);
  if (link !== undefined) deleteLink(host, link);
}

/** Devices whose owner is stale by `isStale(tag)`. */
export function staleIfbs(host: NetworkStack, isStale: (tag: string) => boolean): Link[] {
  return listLinks(host, { kind: "ifb" }).filter((link) => link.name.startsWith(PREFIX) && isStale(link.alias));
}
