/** Where masquerading is done: nf_tables unless the configuration says iptables. */
import type { Keys } from "../../spec/keys.ts";

export const masqueradeBackends = ["nftables", "iptables"] as const;
export type MasqueradeBackend = (typeof masqueradeBackends)[number];

/** `ipMasqBackend`, shared by bridge and ptp. */
export function readMasqueradeBackend(keys: Keys): MasqueradeBackend {
  return keys.oneOf("ipMasqBackend", masqueradeBackends, "nftables", "where the masquerade rules live");
}
