/** Neighbours: which hardware address a link's neighbour has (ARP, NDP). Source: linux/neighbour.h. */
import { address, mac, u32 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import type { Address } from "../ip/address.ts";
import { KernelError } from "../linux/errno.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import { familyNumber, familyOf } from "./family.ts";
import { NLM_F_CREATE, NLM_F_REPLACE } from "./headers/netlink.ts";
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from "./headers/rtnetlink.ts";
import type { Link } from "./link.ts";
import { type Message, messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** NUD_* */
export const neighbourState = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

const NDMSG_BYTES = 12;

/** NDA_* */
const neighbourAttributes = attributes({
  address: attribute(1, address),
  mac: attribute(2, mac),
  linkIndex: attribute(8, u32),
});

export interface Neighbour {
  readonly linkIndex: number;
  readonly address: Address;
  /** Empty while it is not known. */
  readonly mac: string;
  /** NUD_* */
  readonly state: number;
}

/** The neighbours of a link, both families. @throws KernelError */
export function listNeighbours(stack: NetworkStack, link: Link): Neighbour[] {
  const body = messageBody(header(AF_UNSPEC, 0, 0), new Attributes().set(neighbourAttributes.linkIndex, link.index));
  const found: Neighbour[] = [];
  for (const message of stack.route.dump(`list neighbours of ${link.name}`, RTM_GETNEIGH, body)) {
    const each = decodeNeighbour(message);
    if (each !== undefined && each.linkIndex === link.index) found.push(each);
  }
  return found;
}

/** Tells a neighbour's hardware address for good; replaces what was known. @throws KernelError */
export function setNeighbour(stack: NetworkStack, link: Link, address: Address, hardwareAddress: string): void {
  const content = new Attributes()
    .set(neighbourAttributes.address, address)
    .set(neighbourAttributes.mac, hardwareAddress);
  const body = messageBody(header(familyNumber(address.family), link.index, neighbourState.permanent), content);
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  stack.route.request(`set neighbour ${address.toString()} of ${link.name}`, RTM_NEWNEIGH, flags, body);
}

/** Forgets a neighbour; whether it was known. @throws KernelError */
export function deleteNeighbour(stack: NetworkStack, link: Link, address: Address): boolean {
  const content = new Attributes().set(neighbourAttributes.address, address);
  const body = messageBody(header(familyNumber(address.family), link.index, 0), content);
  try {
    stack.route.request(`delete neighbour ${address.toString()} of ${link.name}`, RTM_DELNEIGH, 0, body);
    return true;
  } catch (error) {
    if (error instanceof KernelError && (error.errno === "ENOENT" || error.errno === "ENODEV")) return false;
    throw error;
  }
}

/** struct ndmsg */
function header(family: number, linkIndex: number, state: number): Writer {
  return new Writer().u8(family).u8(0).u16(0).u32(linkIndex).u16(state).u8(0).u8(0);
}

/** `undefined` for other messages and families. @throws DecodeError; RangeError */
export function decodeNeighbour(message: Message): Neighbour | undefined {
  const { type, body } = message;
  if (type !== RTM_NEWNEIGH) return undefined;
  const view = viewOf(body);
  if (familyOf(view.getUint8(0)) === undefined) return undefined;
  const found = Attributes.decode(body.subarray(NDMSG_BYTES), "neighbour");
  const own = found.get(neighbourAttributes.address);
  if (own === undefined) return undefined;
  return {
    linkIndex: view.getUint32(4, true),
    address: own,
    mac: found.get(neighbourAttributes.mac) ?? "",
    state: view.getUint16(8, true),
  };
}
