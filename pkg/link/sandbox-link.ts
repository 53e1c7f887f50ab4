/**
 * Links that are made inside a container under their final name: macvlan, ipvlan, vlan, dummy. What depends on a link below it is
 * made on that, wherever it is. Nothing of them is on the host, and nothing of them outlives the container's namespace.
 */

import { CniError, ErrorCode } from "../../spec/errors.ts";
import { isKernelError, KernelError } from "../linux/errno.ts";
import { randomBytes } from "../linux/random.ts";
import type { Attributes } from "../netlink/attributes.ts";
import { createLink, type LinkSpec } from "../netlink/create-link.ts";
import { changeLink, deleteLink, findLink, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { type Attachment, keyOfTag } from "../skel/attachment.ts";
import type { Undo } from "../skel/undo.ts";
import { findMade } from "./made-link.ts";
import { nameTaken } from "./name-taken.ts";
import { type Parent, refusedByParent } from "./parent.ts";

/** Explicit indexes are drawn from here: above those that namespaces count up to by themselves. */
const FIRST_INDEX = 10_000;
const LAST_INDEX = 1_000_000;
const INDEX_TRIES = 10;

/** What the link is to be; what is left out, `undefined`, or an MTU of 0 is the kernel's choice. */
export interface SandboxLinkSpec {
  readonly kind: string;
  /** The kind's own attributes. */
  readonly data?: Attributes | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  /** The link below; a dummy has none. */
  readonly parent?: Parent | undefined;
  /** What its parent can have once only, wherever that is: "VLAN 100 of eth0". */
  readonly unique?: string | undefined;
}

/** IFLA_GROUP of a link that nobody put into one. */
const DEFAULT_GROUP = 0;

/**
 * Creates a link called CNI_IFNAME in the sandbox, down, with the owner's tag as alias. What a killed ADD of the same owner left is
 * replaced; whatever else has the name stays. Taken back when ADD fails.
 * @throws CniError 101 when the sandbox has an interface of that name, 5 when parent or kernel cannot carry it; KernelError
 */
export function createInSandbox(
  host: NetworkStack,
  sandbox: NetworkStack,
  attachment: Attachment,
  spec: SandboxLinkSpec,
  undo: Undo,
): Link {
  freeName(sandbox, attachment, spec.kind);
  // Before it is made: that nobody heard the kernel's answer does not mean that it is not there.
  undo.push(`remove ${attachment.ifName}`, () => {
    const found = findLink(sandbox, attachment.ifName);
    if (found !== undefined && isMadeFor(attachment, spec.kind, found)) deleteLink(sandbox, found);
  });
  try {
    create(host, sandbox, attachment, spec);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "EEXIST") {
      const { unique } = spec;
      if (unique !== undefined && findLink(sandbox, attachment.ifName) === undefined) throw existsElsewhere(unique);
      throw nameTaken(attachment.ifName);
    }
    throw refusedByParent(error, spec.kind, spec.parent);
  }
  const link = findMade(sandbox, attachment.ifName);
  // The kernel takes no alias at creation.
  changeLink(sandbox, link, { alias: attachment.tag, group: DEFAULT_GROUP });
  return link;
}

function existsElsewhere(what: string): CniError {
  return new CniError(
    ErrorCode.Taken,
    `${what} exists already, in another namespace perhaps: the kernel has each once, wherever it is`,
    "find it: ip -d link show type vlan; ip -all netns exec ip -d link show type vlan. Of a container that has just ended it goes in a moment",
  );
}

/** @throws KernelError; EEXIST when the name is taken in the sandbox, or the parent has one such link already */
function create(host: NetworkStack, sandbox: NetworkStack, attachment: Attachment, spec: SandboxLinkSpec): void {
  const { kind, data, mtu, mac, parent } = spec;
  const { ifName: name, mark: group } = attachment;
  const own: LinkSpec = { name, kind, data, mtu, mac, group, parentIndex: parent?.link.index };
  if (parent === undefined || parent.inContainer) {
    createLink(sandbox, own);
    return;
  }
  // Sent on the host's side, where the parent's index counts; the link is registered in the sandbox alone.
  const fromHost: LinkSpec = { ...own, namespace: sandbox.namespace };
  try {
    createLink(host, fromHost);
  } catch (error) {
    // Before Linux 6.15 the kernel looks for the name on the side that the message was sent on: the host has an `eth0` of its own.
    if (!isKernelError(error, "EEXIST") || findLink(sandbox, attachment.ifName) !== undefined) throw error;
    createWithIndex(host, fromHost);
  }
}

/** The same with an index of our choice: the kernel then asks whether that is taken, and not the name. */
function createWithIndex(host: NetworkStack, spec: LinkSpec): void {
  for (let tries = 1; ; tries++) {
    try {
      createLink(host, { ...spec, index: randomIndex() });
      return;
    } catch (error) {
      const taken = isKernelError(error, "EEXIST") || isKernelError(error, "EBUSY");
      if (!taken || tries >= INDEX_TRIES) throw error;
    }
  }
}

function randomIndex(): number {
  const bytes = randomBytes(4);
  const number = new DataView(bytes.buffer).getUint32(0, true);
  return FIRST_INDEX + (number % (LAST_INDEX - FIRST_INDEX));
}

/** Makes way for the link. @throws CniError 101 when the name belongs to anything but a leftover of the same owner */
function freeName(sandbox: NetworkStack, attachment: Attachment, kind: string): void {
  const found = findLink(sandbox, attachment.ifName);
  if (found === undefined) return;
  if (found.up || !isMadeFor(attachment, kind, found)) throw nameTaken(attachment.ifName);
  deleteLink(sandbox, found);
}

/** Whether a link was made by an ADD of this attachment: it has the tag, or, where there was no time to write one, the mark. */
function isMadeFor(attachment: Attachment, kind: string, link: Link): boolean {
  // By an alternative name it is found too, and then another's.
  if (link.name !== attachment.ifName || link.kind !== kind) return false;
  return link.alias === "" ? link.group === attachment.mark : keyOfTag(link.alias) === attachment.key;
}

/**
 * Removes an attachment's link, whoever made it: the reference suite leaves no tag. One of another attachment stays, and so does one
 * of a kind that the plugin does not make. Absence, also of the sandbox (`undefined`), is success. @throws KernelError
 */
export function removeFromSandbox(
  sandbox: NetworkStack | undefined,
  attachment: Attachment,
  kinds: readonly string[],
): void {
  if (sandbox === undefined) return;
  const found = findLink(sandbox, attachment.ifName);
  // By an alternative name it is found too, and then another's.
  if (found === undefined || found.name !== attachment.ifName || !kinds.includes(found.kind)) return;
  const owner = keyOfTag(found.alias);
  if (owner === undefined || owner === attachment.key) deleteLink(sandbox, found);
}
