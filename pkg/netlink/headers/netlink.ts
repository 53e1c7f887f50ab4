/** What linux/netlink.h numbers: protocols, flags of messages, control messages, attributes and options of sockets. */

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
/** What a dump lists changed while it was told. */
export const NLM_F_DUMP_INTR = 0x10;

/** Of requests that read. */
export const NLM_F_DUMP = 0x300;

/** Of requests that create. */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

/** Of acknowledgements: only the request's header is in it; attributes follow. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Bytes of struct nlmsghdr and of struct nlattr. */
export const NLMSG_HDRLEN = 16;
export const NLA_HDRLEN = 4;

export const NLA_F_NESTED = 0x8000;
/** The type alone, without flags. */
export const NLA_TYPE_MASK = 0x3fff;

export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;
