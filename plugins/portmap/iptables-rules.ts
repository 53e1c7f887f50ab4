/**
 * Port mappings in iptables' nat table, with the chains, rules and comments of the reference suite, so that either suite removes
 * what the other made. Lines are as iptables-save prints them, which is what they are compared with.
 *
 *   PREROUTING, OUTPUT → CNI-HOSTPORT-DNAT → CNI-DN-<container> → CNI-HOSTPORT-SETMARK, DNAT
 *   POSTROUTING → CNI-HOSTPORT-MASQ → MASQUERADE what is marked
 */
import { textDigest } from "../../pkg/codec/sha512.ts";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import {
  chainsWithComment,
  commentWords,
  deletion,
  hasChain,
  jumpsTo,
  LONGEST_COMMENT,
  ruleLine,
  rulesOf,
} from "../../pkg/iptables/rule-line.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import type { PortMapping } from "./config.ts";
import type { Mapped } from "./mapped.ts";
import { protocolNumber, specificAddress, type Target } from "./targets.ts";

/** The chain that every mapping is reached by. */
export const DNAT = "CNI-HOSTPORT-DNAT";
const DNAT_CHAIN = "CNI-DN-";
const SETMARK = "CNI-HOSTPORT-SETMARK";
const MASQ = "CNI-HOSTPORT-MASQ";
/** The most ports of one `-m multiport`. */
const MOST_PORTS = 15;

/** What rules are made of: one attachment, one family. */
export interface IptablesPlan {
  readonly attachment: Attachment;
  readonly targets: readonly Target[];
  /** All mappings, those of the other family too: the reference's ways in lead for all of them. */
  readonly mappings: readonly PortMapping[];
  readonly snat: boolean;
  readonly masqAll: boolean;
  readonly markBit: number;
  readonly externalSetMarkChain: string;
  readonly conditions: readonly string[];
}

/** The chain of a container's mappings on a network; two interfaces on one network share it. */
export function dnatChain(network: string, containerId: string): string {
  return `${DNAT_CHAIN}${digest(network, containerId)}`;
}

/** The chain of mappings' source translation that versions of the reference before 0.8 made. */
export function oldSnatChain(network: string, containerId: string): string {
  return `CNI-SN-${digest(network, containerId)}`;
}

function digest(network: string, containerId: string): string {
  return textDigest(network + containerId, 21);
}

function commentOf(network: string, containerId: string): string {
  // Cut as the reference cuts it.
  const comment = `${networkWords(network)}${containerId}"`;
  return comment.length > LONGEST_COMMENT ? `${comment.slice(0, LONGEST_COMMENT - 2)}...` : comment;
}

/** What the comments of a network begin with. */
export function networkWords(network: string): string {
  return `dnat name: "${network}" id: "`;
}

/** The lines that turn the table as it is into one with the plan's rules; what the container had before is replaced. */
export function installation(saved: readonly string[], plan: IptablesPlan): string[] {
  const chain = dnatChain(plan.attachment.network, plan.attachment.containerId);
  const lines = sharedLines(saved, plan);
  if (hasChain(saved, chain)) {
    for (const jump of jumpsTo(saved, chain)) lines.push(deletion(jump));
    lines.push(`-F ${chain}`);
  } else {
    lines.push(`-N ${chain}`);
  }
  return [...lines, ...entryLines(plan), ...mappingLines(plan)];
}

/** What all containers share, as far as it is missing. */
function sharedLines(saved: readonly string[], plan: IptablesPlan): string[] {
  const lines: string[] = [];
  const marks = plan.snat && plan.externalSetMarkChain === "";
  for (const chain of marks ? [SETMARK, MASQ, DNAT] : [DNAT]) if (!hasChain(saved, chain)) lines.push(`-N ${chain}`);
  if (marks) {
    for (const line of markLines(plan.markBit)) if (!saved.includes(line)) lines.push(line);
    if (!jumpsFrom(saved, "POSTROUTING", MASQ)) {
      const comment = commentWords("CNI portfwd requiring masquerade");
      lines.push(ruleLine(["-I", "POSTROUTING", "1", ...comment, "-j", MASQ]));
    }
  }
  for (const from of ["PREROUTING", "OUTPUT"]) {
    if (!jumpsFrom(saved, from, DNAT))
      lines.push(ruleLine(["-A", from, "-m", "addrtype", "--dst-type", "LOCAL", "-j", DNAT]));
  }
  return lines;
}

function jumpsFrom(saved: readonly string[], from: string, target: string): boolean {
  return rulesOf(jumpsTo(saved, target), from).length > 0;
}

/** Marking, and masquerading what is marked. */
function markLines(bit: number): string[] {
  const mark = `0x${hex((1 << bit) >>> 0)}`;
  const comment = commentWords("CNI portfwd masquerade mark");
  return [
    ruleLine(["-A", SETMARK, ...comment, "-j", "MARK", "--set-xmark", `${mark}/${mark}`]),
    ruleLine(["-A", MASQ, "-m", "mark", "--mark", `${mark}/${mark}`, "-j", "MASQUERADE"]),
  ];
}

/** Hexadecimal without leading zeros. */
function hex(value: number): string {
  let text = "";
  for (let rest = value; rest > 0; rest = Math.floor(rest / 16)) text = "0123456789abcdef".charAt(rest % 16) + text;
  return text;
}

/** The ways into the container's chain: a rule for each protocol and each fifteen ports. */
export function entryLines(plan: IptablesPlan): string[] {
  const { network, containerId } = plan.attachment;
  const comment = commentWords(commentOf(network, containerId));
  const lines: string[] = [];
  for (const protocol of ["sctp", "tcp", "udp"]) {
    let ports: string[] = [];
    const flush = (): void => {
      if (ports.length === 0) return;
      const match = ["-p", protocol, ...comment, "-m", "multiport", "--dports", ports.join(",")];
      lines.push(ruleLine(["-A", DNAT, ...match, ...plan.conditions, "-j", dnatChain(network, containerId)]));
      ports = [];
    };
    for (const mapping of plan.mappings) {
      if (mapping.protocol !== protocol || ports.includes(mapping.hostPort.toString())) continue;
      ports.push(mapping.hostPort.toString());
      if (ports.length === MOST_PORTS) flush();
    }
    flush();
  }
  return lines;
}

/** The rules of the container's own chain. */
export function mappingLines(plan: IptablesPlan): string[] {
  const chain = dnatChain(plan.attachment.network, plan.attachment.containerId);
  const setMark = plan.externalSetMarkChain === "" ? SETMARK : plan.externalSetMarkChain;
  const lines: string[] = [];
  for (const { mapping, container } of plan.targets) {
    const address = specificAddress(mapping);
    const to = address === undefined ? [] : ["-d", Prefix.host(address).toString()];
    const port = ["-p", mapping.protocol, "-m", mapping.protocol, "--dport", mapping.hostPort.toString()];
    const marked = (from: readonly string[]): void => {
      lines.push(ruleLine(["-A", chain, ...from, ...to, ...port, "-j", setMark]));
    };
    if (plan.snat && plan.masqAll) marked([]);
    if (plan.snat && !plan.masqAll) {
      marked(["-s", container.masked.toString()]);
      if (container.family === 4) marked(["-s", "127.0.0.1/32"]);
    }
    const text = container.address.toString();
    const end = `${container.family === 6 ? `[${text}]` : text}:${mapping.containerPort}`;
    lines.push(ruleLine(["-A", chain, ...to, ...port, "-j", "DNAT", "--to-destination", end]));
  }
  return lines;
}

/** What of the plan's rules the table lacks, in words for people; none when all is there. */
export function missing(saved: readonly string[], plan: IptablesPlan, family: number): string[] {
  const chain = dnatChain(plan.attachment.network, plan.attachment.containerId);
  if (!hasChain(saved, chain))
    return [`could not check ipv${family} dnat: chain ${chain} not found in iptables table nat`];
  const lacking = mappingLines(plan).filter((line) => !saved.includes(line));
  const entries = rulesOf(jumpsTo(saved, chain), DNAT);
  for (const line of entryLines(plan)) {
    // iptables prints conditions in words of its own: of such rules the ports are compared.
    const ports = line.split(" --dports ").at(1)?.split(" ").at(0) ?? "";
    const there =
      plan.conditions.length === 0
        ? saved.includes(line)
        : entries.some((each) => each.includes(` --dports ${ports} `));
    if (!there) lacking.push(line);
  }
  for (const line of sharedLines(saved, plan)) lacking.push(line);
  return lacking.map((line: string): string => `iptables' table nat (IPv${family}) lacks ${line}`);
}

/** The chain's mappings, as its rules say them. */
export function mappingsIn(saved: readonly string[], chain: string): Mapped[] {
  const found: Mapped[] = [];
  for (const line of rulesOf(saved, chain)) {
    const words = line.split(" ");
    const after = (option: string): string => {
      const at = words.indexOf(option);
      return at < 0 ? "" : (words.at(at + 1) ?? "");
    };
    const end = after("--to-destination");
    const colon = end.lastIndexOf(":");
    const container = Address.parse(end.slice(0, Math.max(0, colon)).replace(/^\[/, "").replace(/\]$/, ""));
    const protocol = after("-p");
    if (container === undefined || (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp")) continue;
    found.push({
      protocol: protocolNumber(protocol),
      hostPort: Number(after("--dport")),
      hostIp: Address.parse(after("-d").split("/").at(0) ?? ""),
      container,
      containerPort: Number(end.slice(colon + 1)),
    });
  }
  return found;
}

/** The chains of the network's containers that are not alive. */
export function staleChains(saved: readonly string[], network: string, alive: readonly string[]): string[] {
  const live = alive.map((containerId: string): string => dnatChain(network, containerId));
  return chainsWithComment(saved, networkWords(network), DNAT_CHAIN).filter((chain) => !live.includes(chain));
}
