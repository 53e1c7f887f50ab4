/** dummy's configuration: every key once. */
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import type { Keys } from "../../spec/keys.ts";

export interface DummyConfig {
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): DummyConfig => {
  const ipamType = readIpamType(keys, "address management; required");
  if (ipamType === "") keys.refuse("dummy interface requires an IPAM configuration", "ipam.type");
  return { ipamType, ipv6: readSixPolicy(keys), dns: readDns(keys) };
};
