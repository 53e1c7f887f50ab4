/** Attributes of links, as data. Source: linux/if_link.h, linux/if_bridge.h, linux/veth.h. */
import { boolU8, cstring, mac, u8, u16, u32 } from "../codec/codec.ts";
import { attribute, attributes, nested } from "./attributes.ts";

/** IFLA_* */
export const linkAttributes = attributes({
  address: attribute(1, mac),
  name: attribute(3, cstring),
  mtu: attribute(4, u32), // bytes
  parent: attribute(5, u32), // IFLA_LINK: ifindex of the parent or of the peer
  master: attribute(10, u32), // ifindex
  protocolInfo: nested(12),
  txQueueLength: attribute(13, u32), // packets
  operationalState: attribute(16, u8), // IF_OPER_*
  linkInfo: nested(18),
  alias: attribute(20, cstring),
  netNsFd: attribute(28, u32), // file descriptor
  extMask: attribute(29, u32), // RTEXT_FILTER_*
  promiscuity: attribute(30, u32), // how many asked for promiscuous mode
  linkNetNsId: attribute(37, u32),
});

/** IFLA_ALT_IFNAME and others come later in the kernel's list; IFLA_AF_SPEC is read by bridge-vlan.ts. */

/** IFLA_INFO_* */
export const infoAttributes = attributes({
  kind: attribute(1, cstring),
  data: nested(2),
});

/** IFLA_BR_* */
export const bridgeAttributes = attributes({
  forwardDelay: attribute(1, u32), // USER_HZ ticks (1/100 s)
  helloTime: attribute(2, u32), // USER_HZ ticks
  vlanFiltering: attribute(7, boolU8),
  vlanDefaultPvid: attribute(39, u16),
});

/** IFLA_BRPORT_* */
export const bridgePortAttributes = attributes({
  state: attribute(1, u8), // BR_STATE_*
  hairpin: attribute(4, boolU8),
  isolated: attribute(33, boolU8),
});

/** VETH_INFO_*: the peer is struct ifinfomsg and attributes. */
export const VETH_INFO_PEER = 1;
