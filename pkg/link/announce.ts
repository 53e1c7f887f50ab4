/** Tells the neighbours on the link which hardware address has an address now. Used by plugins that share a layer-2 network. */
import type { Address } from "../ip/address.ts";
import { parseMac } from "../ip/mac.ts";
import { KernelError } from "../linux/errno.ts";
import { sendFrames } from "../linux/packet-socket.ts";
import type { Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { announcement } from "./announcement.ts";

/** A frame may be lost; an announcement costs little. */
const REPETITIONS = 3;

/**
 * Announces the addresses from the link, which must be up and, where it leads into a bridge, already forwarded: the kernel's own
 * announcement (arp_notify) is sent when the link comes up, before the bridge lets anything through.
 * That no packet socket may be had (a container's security profile) is no failure.
 */
export function announceAddresses(stack: NetworkStack, link: Link, addresses: readonly Address[]): void {
  const mac = parseMac(link.mac);
  if (mac === undefined || mac.length !== 6) return;
  const frames: Uint8Array[] = [];
  for (let count = 0; count < REPETITIONS; count++) {
    for (const address of addresses) frames.push(announcement(address, mac));
  }
  try {
    inside(stack, () => sendFrames(link.index, frames));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
}

function inside(stack: NetworkStack, action: () => void): void {
  if (stack.namespace === undefined) action();
  else stack.namespace.enter(action);
}
