/** An MTU that is asked for, before there is a link: what the kernel refuses is refused in words. */
import { invalidConfig } from "../../spec/errors.ts";
import { ETH_MIN_MTU } from "../netlink/headers/if-ether.ts";

/** Bytes; 0 is the kernel's choice. @throws CniError 7 */
export function requireLeastMtu(mtu: number): void {
  if (mtu === 0 || mtu >= ETH_MIN_MTU) return;
  throw invalidConfig(
    `invalid MTU ${mtu}: an interface takes ${ETH_MIN_MTU} bytes or more`,
    "0 or no mtu leaves the choice to the kernel",
  );
}
