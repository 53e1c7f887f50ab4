/** Attributes of links and of each kind of link. Used by link.ts, bridge-port.ts and the plugins that make such links. */
import { boolU8, type Codec, cstring, i32, mac, raw, u8, u16, u16be, u32 } from "../codec/codec.ts";
import type { Path } from "../codec/path.ts";
import { attribute, attributes, nested } from "./attributes.ts";

/** Text without a terminating NUL, which the kernel would keep as part of it. */
const text: Codec<string> = {
  encode: (value: string): Uint8Array => new TextEncoder().encode(value),
  decode: (bytes: Uint8Array, path: Path): string => cstring.decode(bytes, path),
};

/** linux/if_link.h, IFLA_* */
export const linkAttributes = attributes({
  mac: attribute(1, mac),
  name: attribute(3, cstring),
  mtu: attribute(4, u32),
  /** Index of the device below, or of a veth's other end. */
  link: attribute(5, i32),
  master: attribute(10, u32),
  portInfo: nested(12),
  txQueueLength: attribute(13, u32),
  operationalState: attribute(16, u8),
  info: nested(18),
  alias: attribute(20, text),
  familyOptions: nested(26),
  group: attribute(27, u32),
  namespaceDescriptor: attribute(28, u32),
  /** RTEXT_FILTER_*: what answers are to contain. */
  extensionMask: attribute(29, u32),
  promiscuity: attribute(30, u32),
  transmitQueues: attribute(31, u32),
  linkNamespaceId: attribute(37, i32),
  /** The alternative names, in messages about them. */
  propertyList: nested(52),
  alternativeName: attribute(53, cstring),
  permanentMac: attribute(54, mac),
});

/** linux/if_link.h, IFLA_INFO_* */
export const linkInfoAttributes = attributes({
  kind: attribute(1, cstring),
  data: nested(2),
  portKind: attribute(4, cstring),
  portData: nested(5),
});

/** IFLA_AF_SPEC in messages of no family of their own: what a link is to each address family, by AF_* */
export const familyAttributes = attributes({
  inet6: nested(10),
});

/** linux/if_link.h, IFLA_INET6_* */
export const inet6Attributes = attributes({
  /** IN6_ADDR_GEN_MODE_*: how the link comes by addresses that nobody gave it; 1 is not at all. */
  generationMode: attribute(8, u8),
});

/** linux/if_link.h, IFLA_BR_*. Times in 1/100 s. */
export const bridgeAttributes = attributes({
  forwardDelay: attribute(1, u32),
  ageingTime: attribute(4, u32),
  stpState: attribute(5, u32),
  vlanFiltering: attribute(7, boolU8),
  vlanProtocol: attribute(8, u16be),
  groupForwardMask: attribute(9, u16),
  multicastSnooping: attribute(23, boolU8),
  vlanDefaultPvid: attribute(39, u16),
});

/** linux/if_link.h, IFLA_BRPORT_* */
export const bridgePortAttributes = attributes({
  state: attribute(1, u8),
  hairpin: attribute(4, boolU8),
  learning: attribute(8, boolU8),
  unicastFlood: attribute(9, boolU8),
  neighbourSuppression: attribute(32, boolU8),
  isolated: attribute(33, boolU8),
});

/** linux/if_link.h, IFLA_BOND_SLAVE_* */
export const bondPortAttributes = attributes({
  /** What it gets back when it leaves the bond. */
  formerMac: attribute(4, mac),
});

/** linux/veth.h, VETH_INFO_*: a struct ifinfomsg, then the attributes of the other end. */
export const vethAttributes = attributes({
  peer: attribute(1, raw),
});

/** linux/if_link.h, IFLA_MACVLAN_* */
export const macvlanAttributes = attributes({
  mode: attribute(1, u32),
  flags: attribute(2, u16),
  /** Length of the queue for broadcasts; linux 5.11. */
  broadcastQueueLength: attribute(7, u32),
});
/** MACVLAN_MODE_* */
export const macvlanMode = { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 } as const;

/** linux/if_link.h, IFLA_IPVLAN_* */
export const ipvlanAttributes = attributes({
  mode: attribute(1, u16),
  flags: attribute(2, u16),
});
/** IPVLAN_MODE_* */
export const ipvlanMode = { l2: 0, l3: 1, l3s: 2 } as const;

/** linux/if_link.h, IFLA_VLAN_* */
export const vlanAttributes = attributes({
  id: attribute(1, u16),
  protocol: attribute(5, u16be),
});

/** linux/if_link.h, IFLA_TUN_*; read only. Owner and group are absent where there is none. */
export const tunAttributes = attributes({
  owner: attribute(1, u32),
  group: attribute(2, u32),
  type: attribute(3, u8),
  persistent: attribute(6, boolU8),
  multiQueue: attribute(7, boolU8),
});
/** linux/if_tun.h, IFF_TUN and IFF_TAP */
export const tunType = { tun: 1, tap: 2 } as const;

/** linux/if_link.h, IFLA_VRF_* */
export const vrfAttributes = attributes({
  table: attribute(1, u32),
});
