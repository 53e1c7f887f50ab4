/** What linux/if_addr.h numbers: flags of addresses. */

/** IPv4: not the first of its subnet. IPv6: a temporary address. */
export const IFA_F_SECONDARY = 0x01;
/** Usable at once, without looking for duplicates. */
export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
/** The kernel makes no route to its subnet. */
export const IFA_F_NOPREFIXROUTE = 0x200;
