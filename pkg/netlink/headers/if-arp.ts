/** linux/if_arp.h */
export const ARPHRD_ETHER = 1;
