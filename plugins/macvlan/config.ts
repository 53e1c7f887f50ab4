/** macvlan's configuration: every key once. */
import { readProbing } from "../../pkg/address-probe/keys.ts";
import type { Probing } from "../../pkg/address-probe/timing.ts";
import { readHostShim } from "../../pkg/host-shim/keys.ts";
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { readSixPolicy, type SixPolicy } from "../../pkg/ipam-client/shared-segment.ts";
import { type MacKeys, readMac } from "../../pkg/link/requested-mac.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import { macvlanMode } from "../../pkg/netlink/link-attributes.ts";
import type { Keys } from "../../spec/keys.ts";

const LARGEST_QUEUE = 4294967295;

export type MacvlanMode = "bridge" | "private" | "vepa" | "passthru";

export interface MacvlanConfig {
  /** Empty: the interface of the first default route. */
  readonly master: string;
  readonly mode: MacvlanMode;
  /** Bytes; 0 takes the parent's. */
  readonly mtu: number;
  readonly mac: MacKeys;
  readonly linkInContainer: boolean;
  /** 0 is the kernel's. */
  readonly broadcastQueueLength: number;
  /** Empty: no addresses, a layer-2 network. */
  readonly ipamType: string;
  readonly ipv6: SixPolicy;
  readonly probing: Probing;
  readonly hostShim: boolean;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): MacvlanConfig => {
  const ipamType = readIpamType(keys, "address management; without it the network is layer 2 only");
  const mode = keys.oneOf(
    "mode",
    ["bridge", "private", "vepa", "passthru"],
    "bridge",
    "whether containers on one parent reach each other",
  );
  const linkInContainer = keys.flag("linkInContainer", false, "the parent is in the container, not on the host");
  const hostShim = readHostShim(keys);
  if (hostShim && mode !== "bridge")
    keys.refuse(`in mode ${mode} a container reaches nobody on its parent`, "hostShim");
  if (hostShim && linkInContainer) keys.refuse("the parent is in the container, not on the host", "hostShim");
  if (hostShim && ipamType === "") keys.refuse("there are no addresses to reach without ipam", "hostShim");
  return {
    master: keys.text("master", "", "the parent: a name, or the interface of the first default route"),
    mode,
    mtu: keys.integer("mtu", 0, "bytes, at most the parent's; 0 takes the parent's", 0, ETH_MAX_MTU),
    mac: readMac(keys),
    linkInContainer,
    broadcastQueueLength: keys.integer(
      "bcqueuelen",
      0,
      "frames that the parent queues for all, such as broadcasts; 0 is the kernel's 1000",
      0,
      LARGEST_QUEUE,
    ),
    ipamType,
    ipv6: readSixPolicy(keys),
    probing: readProbing(keys, ipamType),
    hostShim,
    dns: readDns(keys),
  };
};

/** The kernel's number of a mode. */
export function modeNumber(mode: MacvlanMode): number {
  switch (mode) {
    case "bridge":
      return macvlanMode.bridge;
    case "private":
      return macvlanMode.private;
    case "vepa":
      return macvlanMode.vepa;
    case "passthru":
      return macvlanMode.passthru;
  }
}

/** A mode's name, for messages. */
export function modeName(number: number | undefined): string {
  switch (number) {
    case macvlanMode.bridge:
      return "bridge";
    case macvlanMode.private:
      return "private";
    case macvlanMode.vepa:
      return "vepa";
    case macvlanMode.passthru:
      return "passthru";
    case macvlanMode.source:
      return "source";
    default:
      return "unknown";
  }
}
