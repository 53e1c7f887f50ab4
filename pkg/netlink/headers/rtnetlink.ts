/** What linux/rtnetlink.h numbers: messages, scopes, tables, protocols and types of routes, and groups of notifications. */

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTM_NEWQDISC = 36;
export const RTM_DELQDISC = 37;
export const RTM_GETQDISC = 38;
export const RTM_NEWTCLASS = 40;
export const RTM_GETTCLASS = 42;
export const RTM_NEWTFILTER = 44;
export const RTM_DELTFILTER = 45;
export const RTM_GETTFILTER = 46;
export const RTM_GETNSID = 90;
export const RTM_NEWLINKPROP = 108;
export const RTM_DELLINKPROP = 109;

export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_ANYCAST = 4;
export const RTN_MULTICAST = 5;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;

/** Made by the kernel itself, as the route to an address's subnet. */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
/** Learnt from router advertisements. */
export const RTPROT_RA = 9;

export const RT_SCOPE_UNIVERSE = 0;
/** Destinations on the link itself, which have no gateway. */
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
/** In a deletion, any scope. */
export const RT_SCOPE_NOWHERE = 255;

/** In a header, for tables above 255: the number is in an attribute. */
export const RT_TABLE_UNSPEC = 0;
export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RT_TABLE_MAX = 0xffffffff;

/** A route that is a cache's entry. */
export const RTM_F_CLONED = 0x200;
/** The gateway is taken to be on the link, whatever the addresses say. */
export const RTNH_F_ONLINK = 4;

export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;

/** Runs of VLANs as their ends. */
export const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;
/** Counters are most of an answer, and nobody here reads them. */
export const RTEXT_FILTER_SKIP_STATS = 8;

/** Bytes of struct rtmsg and struct rtnexthop. */
export const RTMSG_BYTES = 12;
export const RTNEXTHOP_BYTES = 8;
