/** ipvlan's configuration: every key once. */
import { readProbing } from "../../pkg/address-probe/keys.ts";
import type { Probing } from "../../pkg/address-probe/timing.ts";
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import { ipvlanMode } from "../../pkg/netlink/link-attributes.ts";
import type { Keys } from "../../spec/keys.ts";

export type IpvlanMode = "l2" | "l3" | "l3s";

export interface IpvlanConfig {
  /** Empty: the one interface of prevResult, or else that of the first default route. */
  readonly master: string;
  readonly mode: IpvlanMode;
  /** Bytes; 0 takes the parent's. */
  readonly mtu: number;
  readonly linkInContainer: boolean;
  /** Empty: the addresses of prevResult; without one, a layer-2 network. */
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly probing: Probing;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): IpvlanConfig => {
  const ipamType = readIpamType(keys, "address management; without it the addresses of prevResult, or none");
  const mode = keys.oneOf(
    "mode",
    ["l2", "l3", "l3s"],
    "l2",
    "what is switched and what is routed; one for all on a parent",
  );
  const probing = readProbing(keys, ipamType);
  if (probing !== "off" && mode !== "l2") keys.refuse(`in mode ${mode} there is no segment to ask`, "probeAddresses");
  return {
    master: keys.text(
      "master",
      "",
      "the parent: a name, or the one interface of prevResult, or else that of the first default route",
    ),
    mode,
    mtu: keys.integer("mtu", 0, "bytes, at most the parent's; 0 takes the parent's", 0, ETH_MAX_MTU),
    linkInContainer: keys.flag("linkInContainer", false, "the parent is in the container, not on the host"),
    ipamType,
    ipv6: readSixPolicy(keys),
    probing,
    dns: readDns(keys),
  };
};

/** The kernel's number of a mode. */
export function modeNumber(mode: IpvlanMode): number {
  switch (mode) {
    case "l2":
      return ipvlanMode.l2;
    case "l3":
      return ipvlanMode.l3;
    case "l3s":
      return ipvlanMode.l3s;
  }
}

/** A mode's name, for messages. */
export function modeName(number: number | undefined): string {
  switch (number) {
    case ipvlanMode.l2:
      return "l2";
    case ipvlanMode.l3:
      return "l3";
    case ipvlanMode.l3s:
      return "l3s";
    default:
      return "unknown";
  }
}
