/**
 * Tells the neighbours on the link which hardware address has an address now, so that a reused address's new owner is reached at
 * once. Used by plugins that share a layer-2 network.
 */
import { KernelError } from "../linux/errno.ts";
import { changeLink, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";

/**
 * Has the kernel announce the link's addresses: gratuitous ARP where `arp_notify`, unsolicited neighbour advertisements where
 * `ndisc_notify` is on (ip-sysctl.rst). The link is up and, where it leads into a bridge, forwarding: what the kernel sends by
 * itself when the link comes up gets no further than a bridge that does not forward yet. Whether it did: not every kind of link can
 * (an ipvlan has its parent's hardware address and cannot be given any), and that it cannot is no failure.
 */
export function announceAddresses(stack: NetworkStack, link: Link): boolean {
  try {
    // Being given the hardware address that it has makes the kernel announce it. Frames of our own would need a packet socket,
    // whose close waits for an RCU grace period: 8 to 15 ms, more than all the rest of ADD.
    changeLink(stack, link, { mac: link.mac });
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return false;
  }
}
