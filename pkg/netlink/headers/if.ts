/** What linux/if.h numbers: flags of links, and the sizes of their names. */

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_PROMISC = 0x100;
export const IFF_ALLMULTI = 0x200;
/** Carrier. */
export const IFF_LOWER_UP = 0x10000;

/** Bytes of the longest name and of the longest alternative name, each with its terminating NUL. */
export const IFNAMSIZ = 16;
export const ALTIFNAMSIZ = 128;
