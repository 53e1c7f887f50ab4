/** tap's configuration: every key once. */
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import { type MacKeys, readMac } from "../../pkg/link/requested-mac.ts";
import { ETH_HLEN, ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import type { Keys } from "../../spec/keys.ts";
import { interfaceNameProblem } from "../../spec/names.ts";

/** The kernel's own header comes on top. */
const LARGEST_MTU = ETH_MAX_MTU - ETH_HLEN;
/** 2³² - 1 means nobody. */
const LAST_ID = 4294967294;

export interface TapConfig {
  readonly mac: MacKeys;
  /** Bytes; 0 leaves the kernel's. */
  readonly mtu: number;
  readonly multiQueue: boolean;
  /** User id. */
  readonly owner: number | undefined;
  /** Group id. */
  readonly group: number | undefined;
  /** Empty: the plugin's own. */
  readonly selinuxContext: string;
  /** A bridge in the container; empty: none. */
  readonly bridge: string;
  /** Empty: no addresses. */
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): TapConfig => {
  const mac = readMac(keys);
  const bridge = keys.text("bridge", "", "a bridge in the container, which the tap becomes a port of");
  const problem = bridge === "" ? undefined : interfaceNameProblem(bridge);
  if (problem !== undefined) keys.refuse(`"${bridge}" cannot be a bridge: ${problem}`, "bridge");
  return {
    mac,
    mtu: keys.integer("mtu", 0, "bytes; 0 leaves the kernel's", 0, LARGEST_MTU),
    multiQueue: keys.flag("multiQueue", false, "let several queues be opened at once"),
    owner: keys.optionalInteger("owner", "id of the user who may open it without privileges", 0, LAST_ID),
    group: keys.optionalInteger("group", "id of the group whose members may open it without privileges", 0, LAST_ID),
    selinuxContext: keys.text("selinuxContext", "", "SELinux context of the device, for whoever is to open it"),
    bridge,
    ipamType: readIpamType(keys, "address management; without it the tap has no addresses"),
    ipv6: readSixPolicy(keys),
    dns: readDns(keys),
  };
};
