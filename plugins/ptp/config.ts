/** ptp's configuration: every key once. */
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { type MasqueradeBackend, readMasqueradeBackend } from "../../pkg/masquerade/backend.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import type { Keys } from "../../spec/keys.ts";

export interface PtpConfig {
  readonly ipMasq: boolean;
  readonly ipMasqBackend: MasqueradeBackend | undefined;
  /** Bytes; 0 leaves the kernel's. */
  readonly mtu: number;
  readonly ipamType: string;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): PtpConfig => {
  const ipamType = readIpamType(keys, "address management; required");
  if (ipamType === "") keys.refuse("no plugin name provided: ptp needs addresses", "ipam.type");
  return {
    ipMasq: keys.flag("ipMasq", false, "masquerade what leaves the container's subnet"),
    ipMasqBackend: readMasqueradeBackend(keys),
    mtu: keys.integer("mtu", 0, "bytes, for both ends of the pair; 0 leaves the kernel's", -ETH_MAX_MTU, ETH_MAX_MTU),
    ipamType,
    dns: readDns(keys),
  };
};
