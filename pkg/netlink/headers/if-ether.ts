/** What linux/if_ether.h numbers: protocols of frames, and sizes. */

export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

/** Bytes of a frame's header. */
export const ETH_HLEN = 14;

/** Bytes; the kernel takes no smaller MTU for most links with frames of Ethernet's. */
export const ETH_MIN_MTU = 68;

/** Bytes; the kernel takes no larger MTU for a link with frames of Ethernet's. */
export const ETH_MAX_MTU = 0xffff;
