/** The numbers of VLANs. Source: linux/if_vlan.h (VLAN_N_VID), IEEE 802.1Q, which reserves the first and the last. */

export const FIRST_VLAN = 1;
export const LAST_VLAN = 4094;
