/** Addresses and prefixes written as text, for the programs of these tests. */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";

export function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new Error(`${text} is no prefix`);
  return found;
}

export function address(text: string): Address {
  const found = Address.parse(text);
  if (found === undefined) throw new Error(`${text} is no address`);
  return found;
}
