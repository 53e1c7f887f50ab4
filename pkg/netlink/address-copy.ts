/**
 * Addresses with everything that the kernel told of them (flags, lifetimes, label, metric, peer), to be given again as they are.
 * Used by what sets links down for a moment, or gives them away for a time. Source: linux/if_addr.h (struct ifaddrmsg).
 */
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import type { Family } from "../ip/address.ts";
import { decodeAddress, type LinkAddress } from "./address.ts";
import { Attributes } from "./attributes.ts";
import { familyNumber } from "./family.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_GETADDR, RTM_NEWADDR } from "./headers/rtnetlink.ts";
import { messageBody } from "./message.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

/** struct ifaddrmsg, ifa_index */
const INDEX_AT = 4;
/** IFA_CACHEINFO: struct ifa_cacheinfo, seconds. */
const LIFETIMES = 6;
const FOR_EVER = 0xffffffff;

/** An address as the kernel described it. What it cannot be told (that duplicates were looked for) it passes over. */
export class AddressCopy {
  readonly address: LinkAddress;
  /** The kernel's message, which a record may keep. */
  readonly body: Uint8Array;

  constructor(address: LinkAddress, body: Uint8Array) {
    this.address = address;
    this.body = body;
  }

  /** Of a kept message; `undefined` when it is about no address. @throws DecodeError; RangeError */
  static of(body: Uint8Array): AddressCopy | undefined {
    const address = decodeAddress({ type: RTM_NEWADDR, body });
    return address === undefined ? undefined : new AddressCopy(address, body);
  }

  /** The message that gives it again, also where the link has another index by now; EEXIST when it is there. */
  addition(linkIndex: number = this.address.linkIndex): BatchMessage {
    const { permanent, deprecated } = this.address;
    const out = new Writer().bytes(this.body).align(4);
    // Of an IPv4 address for ever the kernel does not tell that it is to be preferred no longer. The last attribute of a kind counts.
    if (permanent && deprecated) out.bytes(new Attributes().put(LIFETIMES, lifetimes(0, FOR_EVER)).encode());
    const body = out.done();
    viewOf(body).setUint32(INDEX_AT, linkIndex, true);
    return {
      operation: `add address ${this.address.prefix.toString()}`,
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
      body,
    };
  }
}

function lifetimes(preferredSeconds: number, validSeconds: number): Uint8Array {
  return new Writer().u32(preferredSeconds).u32(validSeconds).u32(0).u32(0).done();
}

/** The addresses of a link, in the kernel's order: IPv4's as they came, the last of IPv6 first. @throws KernelError */
export function listAddressCopies(stack: NetworkStack, linkIndex: number, family: Family): AddressCopy[] {
  const header = new Writer().u8(familyNumber(family)).u8(0).u8(0).u8(0).u32(linkIndex);
  const found: AddressCopy[] = [];
  for (const message of stack.route.dump("list addresses", RTM_GETADDR, messageBody(header, new Attributes()))) {
    const address = decodeAddress(message);
    if (address === undefined || address.linkIndex !== linkIndex || address.prefix.family !== family) continue;
    found.push(new AddressCopy(address, message.body));
  }
  return found;
}

/** All of a link's, in the order in which they were given, for the kernel prefers some to others by it. @throws KernelError */
export function addressesAsGiven(stack: NetworkStack, linkIndex: number): AddressCopy[] {
  return [...listAddressCopies(stack, linkIndex, 4), ...listAddressCopies(stack, linkIndex, 6).toReversed()];
}
