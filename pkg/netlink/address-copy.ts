/**
 * IPv6 addresses with everything that the kernel told of them (flags, lifetimes, metric, peer), to be given again as they are.
 * Used by what sets links down for a moment. Source: linux/if_addr.h (struct ifaddrmsg).
 */

import { Writer } from "../codec/writer.ts";
import { decodeAddress, type LinkAddress } from "./address.ts";
import { Attributes } from "./attributes.ts";
import { familyNumber } from "./family.ts";
import { messageBody, messageFlag } from "./message.ts";
import type { BatchMessage } from "./socket.ts";
import type { NetworkStack } from "./stack.ts";

/** RTM_* */
const ADD_ADDRESS = 20;
const GET_ADDRESS = 22;

/** An address as the kernel described it. What it cannot be told (that duplicates were looked for) it passes over. */
export class AddressCopy {
  readonly address: LinkAddress;
  private readonly body: Uint8Array;

  constructor(address: LinkAddress, body: Uint8Array) {
    this.address = address;
    this.body = body;
  }

  /** The message that gives it again; EEXIST when it is there. */
  addition(): BatchMessage {
    return {
      operation: `add address ${this.address.prefix.toString()}`,
      type: ADD_ADDRESS,
      flags: messageFlag.create | messageFlag.exclusive | messageFlag.ack,
      body: this.body,
    };
  }
}

/** The IPv6 addresses of a link. @throws KernelError */
export function listAddressCopies(stack: NetworkStack, linkIndex: number): AddressCopy[] {
  const header = new Writer().u8(familyNumber(6)).u8(0).u8(0).u8(0).u32(linkIndex);
  const found: AddressCopy[] = [];
  for (const message of stack.route.dump("list addresses", GET_ADDRESS, messageBody(header, new Attributes()))) {
    const address = decodeAddress(message);
    if (address === undefined || address.linkIndex !== linkIndex || address.prefix.family !== 6) continue;
    found.push(new AddressCopy(address, message.body));
  }
  return found;
}
