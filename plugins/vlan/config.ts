/** vlan's configuration: every key once. */
import { readProbing } from "../../pkg/address-probe/keys.ts";
import type { Probing } from "../../pkg/address-probe/timing.ts";
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import { LAST_VLAN } from "../../pkg/netlink/headers/if-vlan.ts";
import type { Keys } from "../../spec/keys.ts";

export interface VlanConfig {
  readonly master: string;
  readonly vlanId: number;
  /** Bytes; 0 takes the parent's. */
  readonly mtu: number;
  readonly linkInContainer: boolean;
  /** Empty: no addresses, a layer-2 network. */
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly probing: Probing;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): VlanConfig => {
  const ipamType = readIpamType(keys, "address management; without it the network is layer 2 only");
  return {
    master: keys.requiredText("master", "the parent: the interface whose frames carry the tag"),
    vlanId: keys.integer("vlanId", 0, "the VLAN; 0 tags frames with a priority alone", 0, LAST_VLAN),
    mtu: keys.integer("mtu", 0, "bytes, at most the parent's; 0 takes the parent's", 0, ETH_MAX_MTU),
    linkInContainer: keys.flag("linkInContainer", false, "the parent is in the container, not on the host"),
    ipamType,
    ipv6: readSixPolicy(keys),
    probing: readProbing(keys, ipamType),
    dns: readDns(keys),
  };
};
