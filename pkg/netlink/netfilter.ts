/** What all netfilter subsystems share on netlink. Used by conntrack.ts and pkg/nftables. Source: linux/netfilter/nfnetlink.h. */
import type { Attributes } from "./attributes.ts";

/** NFNL_SUBSYS_*: the upper byte of a message's type. */
export const subsystem = { conntrack: 1, nftables: 10 } as const;

/** struct nfgenmsg (family, version 0, a resource number in network order), then the attributes. */
export function netfilterMessage(family: number, content: Attributes, resource = 0): Uint8Array {
  const payload = content.encode();
  const out = new Uint8Array(4 + payload.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, family);
  view.setUint16(2, resource, false);
  out.set(payload, 4);
  return out;
}

/** Bytes of struct nfgenmsg, behind which a received message's attributes begin. */
export const NFGENMSG_BYTES = 4;
