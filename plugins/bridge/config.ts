/** bridge's configuration: every key once; from here come its type, its errors, its schema and the README's table. */
import { type DnsConfig, readDns, readIpamType } from "../../pkg/ipam-client/keys.ts";
import { type MasqueradeBackend, readMasqueradeBackend } from "../../pkg/masquerade/backend.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import { LAST_VLAN } from "../../pkg/netlink/headers/if-vlan.ts";
import { macFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";
import { interfaceNameProblem } from "../../spec/names.ts";
import { readTrunk } from "./trunk.ts";

export interface BridgeConfig {
  readonly bridge: string;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  readonly ipMasq: boolean;
  readonly ipMasqBackend: MasqueradeBackend | undefined;
  /** Bytes; 0 leaves the kernel's. */
  readonly mtu: number;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** 0: none. */
  readonly vlan: number;
  /** Sorted, each once. */
  readonly trunk: readonly number[];
  /** Whether the configuration speaks of VLANs at all, an empty trunk included. */
  readonly usesVlans: boolean;
  readonly preserveDefaultVlan: boolean;
  readonly macspoofchk: boolean;
  readonly enabledad: boolean;
  readonly disableContainerInterface: boolean;
  readonly portIsolation: boolean;
  /** Hardware address for the container's end from `runtimeConfig`, or else from `args.cni`. */
  readonly mac: string | undefined;
  /** Empty: no addresses, a layer-2 network. */
  readonly ipamType: string;
  readonly dns: DnsConfig;
}

export const config = (keys: Keys): BridgeConfig => {
  const isDefaultGateway = keys.flag(
    "isDefaultGateway",
    false,
    "route everything through the bridge; implies isGateway",
  );
  const vlan = keys.integer("vlan", 0, "the port's VLAN, untagged in the container; 0 for none", 0, LAST_VLAN);
  const trunk = readTrunk(keys);
  const hairpinMode = keys.flag("hairpinMode", false, "let frames leave by the port they came in by");
  const promiscMode = keys.flag("promiscMode", false, "put the bridge into promiscuous mode");
  const disabled = keys.flag("disableContainerInterface", false, "leave the container's end down; excludes ipam");
  const ipamType = readIpamType(keys, "address management; without it the network is layer 2 only");
  if (disabled && ipamType !== "")
    keys.refuse(
      "cannot use IPAM when DisableContainerInterface flag is set",
      "",
      "leave out ipam or disableContainerInterface",
    );
  if (hairpinMode && promiscMode)
    keys.refuse(
      "cannot set hairpin mode and promiscuous mode at the same time",
      "",
      "a promiscuous bridge needs no hairpin",
    );
  const runtimeMac = keys.members("runtimeConfig", readMac, "what the runtime adds for declared capabilities");
  const argsMac = keys.members("args", readArgsMac, "what an orchestrator adds");
  const bridge = keys.text("bridge", "cni0", "the bridge; made when missing, never removed");
  const isGateway =
    keys.flag("isGateway", false, "give the bridge the gateway's address and forward packets") || isDefaultGateway;
  refuseBadName(keys, bridge, isGateway ? vlan : 0);
  return {
    bridge,
    isGateway,
    isDefaultGateway,
    forceAddress: keys.flag("forceAddress", false, "replace another address that the bridge has"),
    ipMasq: keys.flag("ipMasq", false, "masquerade what leaves the container's subnet"),
    ipMasqBackend: readMasqueradeBackend(keys),
    mtu: keys.integer(
      "mtu",
      0,
      "bytes, for the pair and for a new bridge; 0 leaves the kernel's",
      -ETH_MAX_MTU,
      ETH_MAX_MTU,
    ),
    hairpinMode,
    promiscMode,
    vlan,
    trunk: trunk ?? [],
    usesVlans: vlan !== 0 || trunk !== undefined,
    preserveDefaultVlan: keys.flag("preserveDefaultVlan", false, "keep VLAN 1 on the port"),
    macspoofchk: keys.flag("macspoofchk", false, "drop frames whose source is not the container's hardware address"),
    enabledad: keys.flag("enabledad", false, "let the container detect duplicate IPv6 addresses"),
    disableContainerInterface: disabled,
    portIsolation: keys.flag("portIsolation", false, "isolated ports cannot reach each other"),
    mac: runtimeMac ?? argsMac,
    ipamType,
    dns: readDns(keys),
  };
};

/** The name, and that of a VLAN's gateway, must be names of interfaces. */
function refuseBadName(keys: Keys, bridge: string, vlan: number): void {
  const problem = interfaceNameProblem(bridge);
  if (problem !== undefined) {
    keys.refuse(`"${bridge}" cannot name a bridge: ${problem}`, "bridge");
    return;
  }
  const gateway = `${bridge}.${vlan}`;
  if (vlan === 0 || interfaceNameProblem(gateway) === undefined) return;
  keys.refuse(`"${gateway}", the VLAN's gateway, is too long for an interface: shorten the bridge's name`, "bridge");
}

function readMac(keys: Keys): string | undefined {
  return keys.optional("mac", macFormat, "hardware address for the container's end");
}

function readArgsMac(keys: Keys): string | undefined {
  return keys.members("cni", readMac, "CNI's part");
}
