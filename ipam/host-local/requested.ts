/** Addresses that the runtime or the user asks for by name, and which range set each is to come from. Pure. */
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { parseArgs } from "../../spec/args.ts";
import { CniError, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { Format } from "../../spec/keys.ts";
import { addressPattern, prefixPattern } from "../../spec/patterns.ts";
import type { RangeSet } from "./range.ts";

/** `10.1.2.3` or `10.1.2.3/24`; the prefix length is the range's, whatever is written here. */
export const requestedFormat: Format<Address> = {
  parse: parseRequested,
  expected: "an IP address, with or without a prefix length",
  pattern: (): string => `(${addressPattern()})|(${prefixPattern()})`,
};

function parseRequested(text: string): Address | undefined {
  return Address.parse(text) ?? Prefix.parse(text)?.address;
}

/** What was asked for in the three places that can ask, the weakest first. */
export interface Requests {
  /** CNI_ARGS, `IP=`. */
  readonly variable: readonly Address[];
  /** `args.cni.ips` */
  readonly args: readonly Address[];
  /** `runtimeConfig.ips` */
  readonly runtime: readonly Address[];
}

/** The address of CNI_ARGS' `IP`. @throws CniError 4 when it is none, or CNI_ARGS is malformed */
export function requestedByVariable(cniArgs: string): Address[] {
  const text = parseArgs(cniArgs, ["IP"]).get("IP") ?? "";
  if (text === "") return [];
  const address = parseRequested(text);
  if (address !== undefined) return [address];
  throw new CniError(
    ErrorCode.InvalidEnvironment,
    `ARGS: error parsing value of pair "IP=${text}": invalid IP address`,
    `expected ${requestedFormat.expected}`,
  );
}

/**
 * For each range set the address asked of it, or `undefined`. A set gives one address: where two places ask for different ones,
 * the stronger wins (the specification lets `args` override CNI_ARGS).
 * @throws CniError 7 when one is a gateway, lies in no range, or one place asks for two of one set
 */
export function assignRequests(requests: Requests, sets: readonly RangeSet[]): (Address | undefined)[] {
  const assigned: (Address | undefined)[] = [];
  const left: string[] = [];
  for (const set of sets) assigned.push(assignOne(requests, set, left));
  for (const address of [...requests.variable, ...requests.args, ...requests.runtime]) {
    if (!sets.some((set) => set.contains(address))) left.push(address.toString());
  }
  if (left.length === 0) return assigned;
  const ranges: string[] = [];
  for (const set of sets) ranges.push(set.toString());
  throw invalidConfig(
    `failed to allocate all requested IPs: ${left.join(" ")}`,
    `one address comes from each range set, and these are ${ranges.join("; ")}`,
  );
}

/** Adds to `left` what the strongest place asks of this set beyond one address. */
function assignOne(requests: Requests, set: RangeSet, left: string[]): Address | undefined {
  for (const place of [requests.runtime, requests.args, requests.variable]) {
    const wanted = place.filter((address) => set.contains(address));
    const first = wanted.at(0);
    if (first === undefined) continue;
    if (set.isGateway(first)) throw invalidConfig(`requested ip ${first.toString()} is subnet's gateway`);
    for (const other of wanted.slice(1)) if (!other.equals(first)) left.push(other.toString());
    return first;
  }
  return undefined;
}
