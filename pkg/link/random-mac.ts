/**
 * Hardware addresses that nobody else has. A link that is made with one keeps it; one that the kernel gives at random may be changed once
 * more, behind the plugin's back (udev's MACAddressPolicy), and neighbours know the wrong one then.
 */
import { formatMac } from "../ip/mac.ts";
import { randomBytes } from "../linux/random.ts";

/** A random address, locally administered, unicast (IEEE 802). */
export function randomMac(): string {
  const bytes = randomBytes(6);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, (view.getUint8(0) & 0xfc) | 0x02);
  return formatMac(bytes);
}
