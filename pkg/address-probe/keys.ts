/** The key by which a plugin's addresses are probed. */
import type { Keys } from "../../spec/keys.ts";
import type { Probing } from "./timing.ts";

/** `ipamType` is the plugin's: without addresses of IPAM there is nothing to ask for. */
export function readProbing(keys: Keys, ipamType: string): Probing {
  const probing = keys.oneOf(
    "probeAddresses",
    ["off", "fast", "rfc5227"],
    "off",
    "whether the segment's hosts are asked for an address before it is used; fast takes 0.3 s, rfc5227 four to seven seconds",
  );
  if (probing !== "off" && ipamType === "")
    keys.refuse("there are no addresses to ask for without ipam", "probeAddresses");
  return probing;
}
