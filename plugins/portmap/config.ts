/** portmap's configuration: which ports, and by which means. */
import type { Address } from "../../pkg/ip/address.ts";
import { addressFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";

export const backends = ["nftables", "iptables"] as const;
export type Backend = (typeof backends)[number];

export type Protocol = "tcp" | "udp" | "sctp";

/** One port of the host that leads to one of the container. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
  /** `undefined`: every address of the host, of both families. 0.0.0.0 and ::: every address of that family. */
  readonly hostIp: Address | undefined;
}

export interface PortmapConfig {
  /** Said, or implied by options that one backend alone has; `undefined`: whichever the host can do, see backend.ts. */
  readonly backend: Backend | undefined;
  readonly mappings: readonly PortMapping[];
  /** Masquerade what would otherwise be answered past the mapping: from the container's subnet and from the host's localhost. */
  readonly snat: boolean;
  readonly masqAll: boolean;
  /** The mark's bit that the iptables backend marks packets with. */
  readonly markBit: number;
  /** Somebody else's chain that marks packets for masquerading; empty when we mark and masquerade ourselves. */
  readonly externalSetMarkChain: string;
  readonly conditions4: readonly string[];
  readonly conditions6: readonly string[];
}

const DEFAULT_MARK_BIT = 13;
const LAST_PORT = 65535;

export const config = (keys: Keys): PortmapConfig => {
  const backend = keys.optionalChoice(
    "backend",
    backends,
    "where the rules live; unset: nftables where the kernel has it",
  );
  const markBit = keys.optionalInteger(
    "markMasqBit",
    "iptables: the bit (0-31) that marks what is masqueraded; 13 when unset",
    0,
    31,
  );
  const externalSetMarkChain = keys.text(
    "externalSetMarkChain",
    "",
    "iptables: a chain of others that marks what is masqueraded",
  );
  const conditions4 = keys.texts("conditionsV4", "what IPv4 packets must match besides, in the backend's words");
  const conditions6 = keys.texts("conditionsV6", "what IPv6 packets must match besides, in the backend's words");
  if (markBit !== undefined && externalSetMarkChain !== "") {
    keys.refuse(
      "Cannot specify externalSetMarkChain and markMasqBit",
      "",
      "externalSetMarkChain marks by itself: leave markMasqBit out",
    );
  }
  const iptables: string[] = [];
  if (externalSetMarkChain !== "") iptables.push("externalSetMarkChain");
  if (markBit !== undefined) iptables.push("markMasqBit");
  const nftables: string[] = [];
  note(conditions4, "conditionsV4", iptables, nftables);
  note(conditions6, "conditionsV6", iptables, nftables);
  refuseMixture(keys, backend, iptables, nftables);
  return {
    backend: backend ?? (nftables.length > 0 ? "nftables" : iptables.length > 0 ? "iptables" : undefined),
    mappings: keys.members("runtimeConfig", readMappings, "what the runtime adds for declared capabilities"),
    snat: keys.flag("snat", true, "masquerade connections from the container's own subnet and from localhost"),
    masqAll: keys.flag("masqAll", false, "masquerade all mapped connections"),
    markBit: markBit ?? DEFAULT_MARK_BIT,
    externalSetMarkChain,
    conditions4,
    conditions6,
  };
};

function readMappings(keys: Keys): PortMapping[] {
  const mappings: PortMapping[] = [];
  const read = keys.list(
    "portMappings",
    readMapping,
    "ports of the host that lead to the container (capability portMappings)",
  );
  for (const mapping of read) if (mapping !== undefined) mappings.push(mapping);
  return mappings;
}

/** `undefined` for a mapping that cannot be used, where problems are collected (DEL). */
function readMapping(keys: Keys): PortMapping | undefined {
  const hostPort = keys.optionalInteger("hostPort", "the host's port", 1, LAST_PORT);
  const containerPort = keys.optionalInteger("containerPort", "the container's port", 1, LAST_PORT);
  const text = keys.text("protocol", "tcp", "tcp, udp or sctp, in any case");
  const hostIp = keys.optional("hostIP", addressFormat, "only this address of the host");
  const protocol = protocolNamed(text);
  if (protocol === undefined) keys.refuse(`"${text}" is none of tcp, udp, sctp`, "protocol");
  if (hostPort === undefined || containerPort === undefined || protocol === undefined) {
    if (hostPort === undefined) keys.refuse("missing, or no port", "hostPort");
    if (containerPort === undefined) keys.refuse("missing, or no port", "containerPort");
    return undefined;
  }
  return { hostPort, containerPort, protocol, hostIp };
}

function protocolNamed(text: string): Protocol | undefined {
  switch (text.toLowerCase()) {
    case "tcp":
      return "tcp";
    case "udp":
      return "udp";
    case "sctp":
      return "sctp";
    default:
      return undefined;
  }
}

/** Whether conditions are arguments of iptables: those begin with an option or a negation of one. */
function inIptablesWords(conditions: readonly string[]): boolean {
  const first = conditions.at(0) ?? "";
  return first.startsWith("-") || first.startsWith("!");
}

/** Conditions belong to the backend in whose words they are. */
function note(conditions: readonly string[], name: string, iptables: string[], nftables: string[]): void {
  if (conditions.length === 0) return;
  if (inIptablesWords(conditions)) iptables.push(name);
  else nftables.push(name);
}

function refuseMixture(keys: Keys, backend: Backend | undefined, iptables: string[], nftables: string[]): void {
  const advice = 'leave "backend" out, or say all of it in the words of one backend';
  if (backend === "nftables" && iptables.length > 0) {
    keys.refuse(
      `nftables backend was requested but configuration contains iptables-specific options [${iptables.join(" ")}]`,
      "",
      advice,
    );
  } else if (backend === "iptables" && nftables.length > 0) {
    keys.refuse(
      `iptables backend was requested but configuration contains nftables-specific options [${nftables.join(" ")}]`,
      "",
      advice,
    );
  } else if (iptables.length > 0 && nftables.length > 0) {
    const both = `[${iptables.join(" ")}] and nftables-specific options [${nftables.join(" ")}]`;
    keys.refuse(`configuration contains both iptables-specific options ${both}`, "", advice);
  }
}
