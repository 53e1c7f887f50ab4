/** Veth pairs between the host and a sandbox: made whole, found again by their owner's tag. Used by bridge and ptp. */
import { sha512 } from "../codec/sha512.ts";
import { KernelError } from "../linux/errno.ts";
import { changeLink, createVeth, deleteLink, findLink, type Link, listLinks } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { type Attachment, keyOfTag } from "../skel/attachment.ts";
import type { Undo } from "../skel/undo.ts";
import { writeSysctl } from "../sysctl/sysctl.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";

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
  requireFreeName(sandbox, attachment.ifName);
  const name = createNamed(host, sandbox, attachment, options);
  const created = findRequired(host, name);
  undo.push(`remove ${name}`, () => deleteLink(host, created));
  // Before the link is up: a container must not be able to hand the host routes by router advertisements (CVE-2020-10749).
  writeSysctl(host.namespace, `net/ipv6/conf/${name}/accept_ra`, "0");
  changeLink(host, created, { alias: attachment.tag, up: true, masterIndex: options.masterIndex });
  return { host: created, container: findRequired(sandbox, attachment.ifName) };
}

function createNamed(host: NetworkStack, sandbox: NetworkStack, attachment: Attachment, options: VethOptions): string {
  for (let probe = 0; probe < NAME_PROBES; probe++) {
    const name = hostName(attachment, probe);
    try {
      createVeth(host, {
        name,
        mtu: Math.max(0, options.mtu),
        peer: { name: attachment.ifName, mac: options.mac, namespace: sandbox.namespace },
      });
      return name;
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
      requireFreeName(sandbox, attachment.ifName);
      removeLeftover(host, name, attachment);
    }
  }
  throw new CniError(ErrorCode.Taken, `Cannot name the host's end of ${attachment.toString()}: ${NAME_PROBES} names are taken`);
}

/** `veth` and eight hexadecimal digits that follow from the owner: a repeated ADD finds what a crashed one made. */
export function hostName(attachment: Attachment, probe: number): string {
  return `veth${sha512(new TextEncoder().encode(`${attachment.key}/${probe}`)).slice(0, 8)}`;
}

/** A link under our name: this owner's (tagged, or not yet) goes, another's stays and the next name is tried. */
function removeLeftover(host: NetworkStack, name: string, attachment: Attachment): void {
  const found = findLink(host, name);
  if (found === undefined || found.kind !== "veth") return;
  if (found.alias === "" || keyOfTag(found.alias) === attachment.key) deleteLink(host, found);
}

/** @throws CniError 101 */
export function requireFreeName(sandbox: NetworkStack, ifName: string): void {
  if (findLink(sandbox, ifName) === undefined) return;
  throw new CniError(
    ErrorCode.Taken,
    `container veth name ("${ifName}") already exists`,
    "the container has such an interface already: delete it, or attach under another CNI_IFNAME",
  );
}

function findRequired(stack: NetworkStack, name: string): Link {
  const link = findLink(stack, name);
  if (link !== undefined) return link;
  throw new CniError(ErrorCode.Io, `interface ${name} vanished while it was being set up`, "something else removes interfaces on this node");
}

/** The host's end of an attachment, by its tag; `undefined` when there is none. */
export function findHostEnd(host: NetworkStack, attachment: Attachment): Link | undefined {
  for (let probe = 0; probe < NAME_PROBES; probe++) {
    const link = findLink(host, hostName(attachment, probe));
    if (link === undefined) return undefined;
    if (keyOfTag(link.alias) === attachment.key) return link;
  }
  return undefined;
}

/** Removes the host's end of an attachment, and so the pair, wherever the other end is. Absence is success. */
export function removeHostEnd(host: NetworkStack, attachment: Attachment): void {
  const link = findHostEnd(host, attachment);
  if (link !== undefined) deleteLink(host, link);
}

/** The host's ends whose owner is stale by `isStale(tag)`. */
export function staleHostEnds(host: NetworkStack, isStale: (tag: string) => boolean): Link[] {
  return listLinks(host, { kind: "veth" }).filter((link) => isStale(link.alias));
}
