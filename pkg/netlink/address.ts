/** Addresses of links. Source: rtnetlink(7), linux/if_addr.h. */
import { address, u32 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import type { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { KernelError } from "../linux/errno.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import { familyNumber } from "./family.ts";
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_SECONDARY,
  IFA_F_TENTATIVE,
} from "./headers/if-addr.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from "./headers/rtnetlink.ts";
import type { Link } from "./link.ts";
import { type Message, messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

const IFADDRMSG_BYTES = 8;

/** IFA_* */
const addressAttributes = attributes({
  /** The other end's on a point-to-point link, else the same as `local`. */
  address: attribute(1, address),
  local: attribute(2, address),
  broadcast: attribute(4, address),
  flags: attribute(8, u32),
});

export interface LinkAddress {
  readonly linkIndex: number;
  readonly prefix: Prefix;
  /** The other end's address, where it differs from this one's. */
  readonly peer: Address | undefined;
  readonly broadcast: Address | undefined;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_* */
  readonly flags: number;
  /** Duplicate address detection has not ended: not usable yet. */
  readonly tentative: boolean;
  /** Another host has it: never usable. */
  readonly dadFailed: boolean;
  /** Not given for a time, as by router advertisement. */
  readonly permanent: boolean;
  readonly deprecated: boolean;
  /** IPv4: not the first of its subnet. IPv6: a temporary address. */
  readonly secondary: boolean;
}

/** The addresses of a link or of all links, both families. None when the link is gone. @throws KernelError */
export function listAddresses(stack: NetworkStack, link?: Link): LinkAddress[] {
  return listAddressesOf(stack, link?.index ?? 0);
}

/** As `listAddresses`, by the link's index; 0 is all links. @throws KernelError */
export function listAddressesOf(stack: NetworkStack, linkIndex: number): LinkAddress[] {
  const body = messageBody(addressHeader(AF_UNSPEC, 0, 0, linkIndex), new Attributes());
  const found: LinkAddress[] = [];
  for (const message of dumpAddresses(stack, body)) {
    const each = decodeAddress(message);
    // Kernels before 4.20 send the addresses of all links.
    if (each !== undefined && (linkIndex === 0 || each.linkIndex === linkIndex)) found.push(each);
  }
  return found;
}

function dumpAddresses(stack: NetworkStack, body: Uint8Array): Message[] {
  try {
    return stack.route.dump("list addresses", RTM_GETADDR, body);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENODEV") return [];
    throw error;
  }
}

export interface AddressOptions {
  /** IPv6: usable at once, without looking for duplicates. */
  readonly noDad?: boolean | undefined;
  /** RT_SCOPE_*; global unless given. */
  readonly scope?: number | undefined;
  /** The other end's address on a point-to-point link. */
  readonly peer?: Address | undefined;
}

/** Gives a link an address. @throws KernelError; EEXIST when it has it */
export function addAddress(stack: NetworkStack, link: Link, prefix: Prefix, options: AddressOptions = {}): void {
  const operation = `add address ${prefix.toString()} to ${link.name}`;
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  stack.route.request(operation, RTM_NEWADDR, flags, encodeAddress(link.index, prefix, options));
}

/** The message of `addAddress`. */
export function encodeAddress(linkIndex: number, prefix: Prefix, options: AddressOptions): Uint8Array {
  const noDad = prefix.family === 6 && (options.noDad ?? false);
  const content = new Attributes()
    .set(addressAttributes.local, prefix.address)
    .set(addressAttributes.address, options.peer ?? prefix.address)
    .set(addressAttributes.broadcast, defaultBroadcast(prefix))
    .set(addressAttributes.flags, noDad ? IFA_F_NODAD : undefined);
  const header = addressHeader(familyNumber(prefix.family), prefix.length, options.scope ?? 0, linkIndex);
  return messageBody(header, content);
}

/** The subnet's last address; none for /31 and /32 (RFC 3021). */
function defaultBroadcast(prefix: Prefix): Address | undefined {
  return prefix.family === 4 && prefix.length < 31 ? prefix.last : undefined;
}

/** Takes an address from a link; whether it was there. @throws KernelError */
export function deleteAddress(stack: NetworkStack, link: Link, prefix: Prefix): boolean {
  const content = new Attributes().set(addressAttributes.local, prefix.address);
  const body = messageBody(addressHeader(familyNumber(prefix.family), prefix.length, 0, link.index), content);
  try {
    stack.route.request(`delete address ${prefix.toString()} of ${link.name}`, RTM_DELADDR, 0, body);
    return true;
  } catch (error) {
    if (error instanceof KernelError && (error.errno === "EADDRNOTAVAIL" || error.errno === "ENODEV")) return false;
    throw error;
  }
}

/** struct ifaddrmsg */
function addressHeader(family: number, length: number, scope: number, linkIndex: number): Writer {
  return new Writer().u8(family).u8(length).u8(0).u8(scope).u32(linkIndex);
}

/** `undefined` for other messages, and for addresses that are not IP's. @throws DecodeError; RangeError */
export function decodeAddress(message: Message): LinkAddress | undefined {
  if (message.type !== RTM_NEWADDR) return undefined;
  const view = viewOf(message.body);
  const found = Attributes.decode(message.body.subarray(IFADDRMSG_BYTES), "address");
  const given = found.get(addressAttributes.address);
  const own = found.get(addressAttributes.local) ?? given;
  if (own === undefined) return undefined;
  const flags = found.get(addressAttributes.flags) ?? view.getUint8(2);
  return {
    linkIndex: view.getUint32(4, true),
    prefix: new Prefix(own, view.getUint8(1)),
    peer: given === undefined || given.equals(own) ? undefined : given,
    broadcast: found.get(addressAttributes.broadcast),
    scope: view.getUint8(3),
    flags,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    dadFailed: (flags & IFA_F_DADFAILED) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
  };
}
