/** Whether this kernel, and what we are allowed, let nf_tables be used. */

import { KernelError } from "../linux/errno.ts";
import { Attributes } from "../netlink/attributes.ts";
import { netfilterMessage } from "../netlink/netfilter.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { nftMessage } from "./messages.ts";

/**
 * Why nf_tables cannot be used, as an errno (EPERM without CAP_NET_ADMIN, EINVAL or EOPNOTSUPP without the module);
 * `undefined` when it can. Asking loads the module where the kernel may.
 */
export function nftablesSupport(socket: NetlinkSocket): string | undefined {
  try {
    const body = netfilterMessage(0, new Attributes());
    socket.request("ask for nf_tables", nftMessage.getGeneration, 0, body);
    return undefined;
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  }
}
