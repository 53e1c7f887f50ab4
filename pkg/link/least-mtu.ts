/** The least MTU that an interface may have: what the kernel refuses in a word is refused with the reason. */
import { invalidConfig } from "../../spec/errors.ts";
import { ETH_MIN_MTU } from "../netlink/headers/if-ether.ts";
import type { Link } from "../netlink/link.ts";

/** RFC 8200, section 5; bytes. */
const IPV6_MIN_MTU = 1280;

/** Of one that is to be made. Bytes; 0 is the kernel's choice, and so is less where a plugin takes it. @throws CniError 7 */
export function requireLeastMtu(mtu: number): void {
  if (mtu <= 0 || mtu >= ETH_MIN_MTU) return;
  throw invalidConfig(
    `invalid MTU ${mtu}: an interface takes ${ETH_MIN_MTU} bytes or more`,
    "0 or no mtu leaves the choice to the kernel",
  );
}

/** Of one that is to have an IPv6 address: with less the kernel has no IPv6 on it. @throws CniError 7 */
export function requireMtuForSix({ name, mtu }: Link): void {
  if (mtu >= IPV6_MIN_MTU) return;
  throw invalidConfig(
    `${name} cannot have an IPv6 address: its MTU is ${mtu}, and IPv6 needs ${IPV6_MIN_MTU}`,
    "raise its MTU and that of the interface it is on (mtu in the configuration, ip link), or leave IPv6 out of ipam",
  );
}
