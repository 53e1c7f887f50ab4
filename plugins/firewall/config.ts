/** firewall's configuration: where the host's policy lives, and who may reach the containers. */
import type { Keys } from "../../spec/keys.ts";

export const backends = ["nftables", "iptables", "firewalld"] as const;
export type Backend = (typeof backends)[number];

export const ingressPolicies = ["open", "same-bridge", "isolated"] as const;
export type IngressPolicy = (typeof ingressPolicies)[number];

export interface FirewallConfig {
  /** `undefined`: wherever the host's policy lives, see places.ts. */
  readonly backend: Backend | undefined;
  readonly adminChain: string;
  readonly zone: string;
  readonly ingressPolicy: IngressPolicy;
  /** Bits of the packet mark; 0 sets none. */
  readonly acceptMark: number;
}

/** What iptables takes for a chain's name: XT_EXTENSION_MAXNAMELEN less its NUL, and no blank. */
const CHAIN_NAME = /^[A-Za-z0-9_.:-]{1,28}$/;

export const config = (keys: Keys): FirewallConfig => {
  const adminChain = keys.text(
    "iptablesAdminChainName",
    "CNI-ADMIN",
    "iptables: the administrator's chain, which comes before the containers' rules",
  );
  if (adminChain !== "" && (!CHAIN_NAME.test(adminChain) || adminChain.startsWith("-"))) {
    keys.refuse(`"${adminChain}" is no chain's name: 1 to 28 letters, digits and _ . : -`, "iptablesAdminChainName");
  }
  const zone = keys.text("firewalldZone", "trusted", "firewalld: the zone that the containers' addresses are put in");
  return {
    backend: keys.optionalChoice(
      "backend",
      backends,
      "where the rules live; unset: firewalld where it runs, iptables where its FORWARD chain filters, else nftables",
    ),
    adminChain: adminChain === "" ? "CNI-ADMIN" : adminChain,
    zone: zone === "" ? "trusted" : zone,
    ingressPolicy: keys.oneOf(
      "ingressPolicy",
      ingressPolicies,
      "open",
      "open: everybody may reach the containers; same-bridge: no container of another bridge; isolated: no container",
    ),
    acceptMark: keys.integer(
      "acceptMark",
      0,
      "nftables: bits set in the mark of packets that are accepted, for the host's own rules to tell them by; 0 sets none",
      0,
      4294967295,
    ),
  };
};
