/** Which addresses static gives: those of the configuration and CNI_ARGS together, or those that replace them. Pure. */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { parseArgs } from "../../spec/args.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { StaticAddress, StaticConfig } from "./config.ts";

/**
 * CNI_ARGS' `IP` (a list joined by commas) adds addresses, its `GATEWAY` serves each address that names none and whose subnet it
 * lies in. @throws CniError 4 on malformed CNI_ARGS
 */
export function addressesToGive(config: StaticConfig, cniArgs: string): readonly StaticAddress[] {
  const args = parseArgs(cniArgs, ["IP", "GATEWAY"]);
  const gateways = listOf(args.get("GATEWAY") ?? "").map(parseGateway);
  const addresses: StaticAddress[] = [];
  for (const { address, gateway } of config.addresses)
    addresses.push({ address, gateway: gateway ?? gatewayOf(address, gateways) });
  for (const text of listOf(args.get("IP") ?? "")) {
    const address = parseAddress(text);
    addresses.push({ address, gateway: gatewayOf(address, gateways) });
  }
  return config.replacement ?? addresses;
}

function listOf(text: string): string[] {
  const words: string[] = [];
  for (const word of text.split(",")) if (word.trim() !== "") words.push(word.trim());
  return words;
}

function parseAddress(text: string): Prefix {
  const address = Prefix.parse(text);
  if (address !== undefined) return address;
  throw new CniError(
    ErrorCode.InvalidEnvironment,
    `the 'ip' field is expected to be in CIDR notation, got: '${text}'`,
    "CNI_ARGS: IP=10.1.2.3/24",
  );
}

function parseGateway(text: string): Address {
  const gateway = Address.parse(text);
  if (gateway !== undefined) return gateway;
  throw new CniError(ErrorCode.InvalidEnvironment, `invalid gateway address: ${text}`, "CNI_ARGS: GATEWAY=10.1.2.1");
}

/** The last that lies in the address's subnet. */
function gatewayOf(address: Prefix, gateways: readonly Address[]): Address | undefined {
  return gateways.findLast((gateway) => address.contains(gateway));
}
