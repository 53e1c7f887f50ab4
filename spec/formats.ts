/** The text formats that configurations and results use: addresses, prefixes, hardware addresses. */
import { Address } from "../pkg/ip/address.ts";
import { formatMac, parseMac } from "../pkg/ip/mac.ts";
import { Prefix } from "../pkg/ip/prefix.ts";
import type { Format } from "./keys.ts";
import { addressPattern, macPattern, prefixPattern } from "./patterns.ts";

/** `10.1.2.3` or `fd00::1`. */
export const addressFormat: Format<Address> = {
  parse: (text: string): Address | undefined => Address.parse(text),
  expected: "an IP address",
  pattern: addressPattern,
};

/** `10.1.2.3/24`; host bits are kept. */
export const prefixFormat: Format<Prefix> = {
  parse: (text: string): Prefix | undefined => Prefix.parse(text),
  expected: "an address in CIDR notation (10.1.2.3/24)",
  pattern: prefixPattern,
};

/** A hardware address, normalised to lower case with colons. */
export const macFormat: Format<string> = {
  parse: (text: string): string | undefined => {
    const bytes = parseMac(text);
    return bytes === undefined ? undefined : formatMac(bytes);
  },
  expected: "a hardware address (c2:11:22:33:44:55)",
  pattern: macPattern,
};
