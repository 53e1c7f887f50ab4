/** The network of one namespace as its netlink sockets reach it. What pkg/netlink and pkg/nftables do takes one first. */
import type { NetworkNamespace } from "../netns/network-namespace.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "./headers/netlink.ts";
import { NetlinkSocket } from "./socket.ts";

/** Sockets are opened when first needed. */
export class NetworkStack {
  /** `undefined` is the namespace that the process is in. Not closed with the stack. */
  readonly namespace: NetworkNamespace | undefined;
  private routeSocket: NetlinkSocket | undefined;
  private netfilterSocket: NetlinkSocket | undefined;

  private constructor(namespace: NetworkNamespace | undefined) {
    this.namespace = namespace;
  }

  /** The network of the namespace that the process is in. */
  static host(): NetworkStack {
    return new NetworkStack(undefined);
  }

  static of(namespace: NetworkNamespace): NetworkStack {
    return new NetworkStack(namespace);
  }

  /** Links, addresses, routes. @throws KernelError */
  get route(): NetlinkSocket {
    if (this.routeSocket === undefined) this.routeSocket = NetlinkSocket.open(NETLINK_ROUTE, this.namespace);
    return this.routeSocket;
  }

  /** nf_tables and connection tracking. @throws KernelError */
  get netfilter(): NetlinkSocket {
    if (this.netfilterSocket === undefined)
      this.netfilterSocket = NetlinkSocket.open(NETLINK_NETFILTER, this.namespace);
    return this.netfilterSocket;
  }

  /** A socket of its own for notifications. @throws KernelError */
  watch(groups: readonly number[]): NetlinkSocket {
    const socket = NetlinkSocket.open(NETLINK_ROUTE, this.namespace);
    try {
      socket.subscribe(groups);
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  /** A later use opens the sockets again. */
  close(): void {
    this.routeSocket?.close();
    this.netfilterSocket?.close();
    this.routeSocket = undefined;
    this.netfilterSocket = undefined;
  }
}
