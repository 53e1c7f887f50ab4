/** Where masquerading is done: what the configuration says, else nf_tables where the kernel has it, else iptables. */
import type { Keys } from "../../spec/keys.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { nftablesPresent } from "../nftables/support.ts";

export const masqueradeBackends = ["nftables", "iptables"] as const;
export type MasqueradeBackend = (typeof masqueradeBackends)[number];

/** `ipMasqBackend`, shared by bridge and ptp; `undefined` leaves it to the kernel. */
export function readMasqueradeBackend(keys: Keys): MasqueradeBackend | undefined {
  return keys.optionalChoice(
    "ipMasqBackend",
    masqueradeBackends,
    "where the masquerade rules live; when left out, in nf_tables where the kernel has it",
  );
}

/** The backend that an ADD uses. @throws KernelError when nf_tables may not be asked about */
export function chosenBackend(host: NetworkStack, configured: MasqueradeBackend | undefined): MasqueradeBackend {
  return configured ?? (nftablesPresent(host) ? "nftables" : "iptables");
}
