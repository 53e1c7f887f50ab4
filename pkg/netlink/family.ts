/** Address families as the kernel numbers them. Source: linux/socket.h. */
import type { Family } from "../ip/address.ts";
import { AF_INET, AF_INET6 } from "../linux/headers/socket.ts";

export function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** `undefined` for what is neither IPv4 nor IPv6. */
export function familyOf(number: number): Family | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}
