/**
 * The containers' rules in iptables' filter table, with the chains, rules and comments of the reference suite, so that either
 * suite removes what the other made. Lines are as iptables-save prints them, which is what they are compared with.
 *
 *   FORWARD → CNI-ISOLATION-STAGE-1 → CNI-ISOLATION-STAGE-2      what ingress policies forbid
 *           → CNI-FORWARD → CNI-ADMIN                            the administrator's
 *                           -d 10.1.0.2/32 … RELATED,ESTABLISHED -j ACCEPT; -s 10.1.0.2/32 -j ACCEPT
 *   FERRULE-FIREWALL     nobody's way leads here: a rule without verdict for each address and each bridge, whose comment names an
 *                        attachment that relies on it. The reference's rules must not differ in a word, and name nobody.
 */

import type { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { commentWords, deletion, hasChain, inFront, ruleLine, rulesOf } from "../../pkg/iptables/rule-line.ts";
import type { Ingress, Wanted } from "./wanted.ts";

export const FORWARD = "CNI-FORWARD";
const STAGE_1 = "CNI-ISOLATION-STAGE-1";
const STAGE_2 = "CNI-ISOLATION-STAGE-2";
export const CLAIMS = "FERRULE-FIREWALL";

const BOTH_POLICIES = "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)";
// As text, not by ruleLine: whichever plugin is called, this is worked out at its start.
const toForward = `-A FORWARD -m comment --comment "CNI firewall plugin rules" -j ${FORWARD}`;
const toStage1 = `-A FORWARD -m comment --comment "${BOTH_POLICIES}" -j ${STAGE_1}`;
const stage1Ends = `-A ${STAGE_1} -m comment --comment "${BOTH_POLICIES}" -j RETURN`;
const stage2Ends = `-A ${STAGE_2} -m comment --comment "${BOTH_POLICIES}" -j RETURN`;

/** What an attachment relies on: an address, or a bridge. */
interface Claim {
  readonly line: string;
  /** The key that the attachment's tag begins with. */
  readonly key: string;
  /** `10.1.0.2/32`; empty when it is a bridge. */
  readonly address: string;
  readonly bridge: string;
}

function claimsIn(saved: readonly string[]): Claim[] {
  const found: Claim[] = [];
  for (const line of rulesOf(saved, CLAIMS)) {
    const words = line.split(" ");
    const at = line.indexOf('--comment "');
    if (at < 0) continue;
    const comment = line.slice(at + '--comment "'.length);
    const key = comment.slice(0, comment.indexOf(" "));
    const isBridge = words.at(2) === "-i";
    const subject = words.at(3) ?? "";
    found.push({ line, key, address: isBridge ? "" : subject, bridge: isBridge ? subject : "" });
  }
  return found;
}

function hostText(address: Address): string {
  return Prefix.host(address).toString();
}

/** An address's rules. */
export function acceptLines(address: string): string[] {
  return [
    ruleLine(["-A", FORWARD, "-d", address, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"]),
    ruleLine(["-A", FORWARD, "-s", address, "-j", "ACCEPT"]),
  ];
}

function toAdmin(adminChain: string): string {
  return ruleLine(["-A", FORWARD, ...commentWords("CNI firewall plugin admin overrides"), "-j", adminChain]);
}

/** A bridge's rules, those of stage 1 in the order in which they stand. */
function bridgeLines({ bridge, policy }: Ingress): string[] {
  const own = commentWords(`CNI firewall plugin rules (ingressPolicy: ${policy})`);
  const lines = [
    ruleLine(["-A", STAGE_1, "-i", bridge, "!", "-o", bridge, ...own, "-j", STAGE_2]),
    ruleLine(["-A", STAGE_2, "-o", bridge, ...commentWords(BOTH_POLICIES), "-j", "DROP"]),
  ];
  if (policy === "isolated") lines.push(ruleLine(["-A", STAGE_1, "-i", bridge, "-o", bridge, ...own, "-j", "DROP"]));
  return lines;
}

/** Whatever rules the stages have about a bridge, of any policy. */
function rulesAbout(saved: readonly string[], bridge: string): string[] {
  const first = rulesOf(saved, STAGE_1).filter((line) => line.startsWith(`-A ${STAGE_1} -i ${bridge} `));
  return [...first, ...rulesOf(saved, STAGE_2).filter((line) => line.startsWith(`-A ${STAGE_2} -o ${bridge} `))];
}

/**
 * The lines that turn the table as it is into one with the attachment's rules. What it had before is replaced; none when all is
 * as it should be.
 */
export function installation(saved: readonly string[], wanted: Wanted, adminChain: string): string[] {
  const lines: string[] = [];
  const chains = wanted.ingress === undefined ? [FORWARD, adminChain] : [FORWARD, adminChain, STAGE_1, STAGE_2];
  for (const chain of [...chains, CLAIMS]) if (!hasChain(saved, chain)) lines.push(`-N ${chain}`);
  if (!saved.includes(toForward)) lines.push(inFront(toForward, rulesOf(saved, "FORWARD").indexOf(toStage1) + 2));
  if (!saved.includes(toAdmin(adminChain))) lines.push(inFront(toAdmin(adminChain)));
  for (const address of wanted.addresses) {
    for (const line of acceptLines(hostText(address))) if (!saved.includes(line)) lines.push(line);
  }
  for (const line of isolation(saved, wanted.ingress)) lines.push(line);
  for (const line of claiming(saved, wanted)) lines.push(line);
  return lines;
}

function isolation(saved: readonly string[], ingress: Ingress | undefined): string[] {
  if (ingress === undefined) return [];
  const lines: string[] = [];
  const forward = rulesOf(saved, "FORWARD");
  const jump = forward.indexOf(toStage1);
  const accepts = forward.indexOf(toForward);
  if (jump >= 0 && accepts >= 0 && accepts < jump) lines.push(deletion(toStage1));
  // Before the containers' rules, which accept.
  if (jump < 0 || (accepts >= 0 && accepts < jump)) lines.push(inFront(toStage1));
  for (const end of [stage1Ends, stage2Ends]) if (!saved.includes(end)) lines.push(end);
  const all = bridgeLines(ingress);
  for (const line of rulesAbout(saved, ingress.bridge)) if (!all.includes(line)) lines.push(deletion(line));
  for (const line of all) if (!saved.includes(line)) lines.push(inFront(line));
  return lines;
}

/** A bridge's rules that are there and that no attachment claims are the reference's, which never takes them away. */
function claiming(saved: readonly string[], wanted: Wanted): string[] {
  const { attachment, ingress } = wanted;
  const claims = claimsIn(saved);
  const own = claims.filter((claim) => claim.key === attachment.key);
  const comment = commentWords(attachment.tag);
  const lines: string[] = [];
  for (const address of wanted.addresses.map((each: Address): string => hostText(each))) {
    if (own.some((claim) => claim.address === address)) continue;
    lines.push(ruleLine(["-A", CLAIMS, "-s", address, ...comment]));
  }
  if (ingress !== undefined && !own.some((claim) => claim.bridge === ingress.bridge)) {
    const claimed = claims.some((claim) => claim.bridge === ingress.bridge);
    if (claimed || rulesAbout(saved, ingress.bridge).length === 0) {
      lines.push(ruleLine(["-A", CLAIMS, "-i", ingress.bridge, ...comment]));
    }
  }
  const texts = wanted.addresses.map((each: Address): string => hostText(each));
  const old = own.filter((claim) =>
    claim.bridge === "" ? !texts.includes(claim.address) : claim.bridge !== ingress?.bridge,
  );
  for (const line of release(saved, claims, old, ingress !== undefined)) lines.push(line);
  return lines;
}

/** Lines that give up claims, and what nobody else claims with them; the stages too when no bridge is left in them. */
function release(
  saved: readonly string[],
  claims: readonly Claim[],
  gone: readonly Claim[],
  keepStages: boolean,
): string[] {
  const lines: string[] = [];
  const left = claims.filter((claim) => !gone.includes(claim));
  const removed: string[] = [];
  const remove = (line: string): void => {
    if (removed.includes(line) || !saved.includes(line)) return;
    removed.push(line);
    lines.push(deletion(line));
  };
  for (const { line, address, bridge } of gone) {
    remove(line);
    if (address !== "" && !left.some((claim) => claim.address === address)) {
      for (const each of acceptLines(address)) remove(each);
    }
    if (bridge !== "" && !left.some((claim) => claim.bridge === bridge)) {
      for (const each of rulesAbout(saved, bridge)) remove(each);
    }
  }
  const stages = [...rulesOf(saved, STAGE_1), ...rulesOf(saved, STAGE_2)];
  const tookBridges = stages.some((line) => removed.includes(line));
  const isIdle = stages.every((line) => removed.includes(line) || line === stage1Ends || line === stage2Ends);
  if (keepStages || !tookBridges || !isIdle) return lines;
  const there = [STAGE_1, STAGE_2].filter((chain) => hasChain(saved, chain));
  for (const line of rulesOf(saved, "FORWARD")) if (line === toStage1) lines.push(deletion(line));
  for (const chain of there) lines.push(`-F ${chain}`);
  for (const chain of there) lines.push(`-X ${chain}`);
  return lines;
}

/**
 * The lines that remove what the attachments that are gone have claimed, and the rules of `addresses` as far as nobody else claims
 * them: those that the reference has made. None when there is nothing.
 */
export function removal(
  saved: readonly string[],
  isGone: (key: string) => boolean,
  addresses: readonly Address[],
): string[] {
  const claims = claimsIn(saved);
  const gone = claims.filter((claim) => isGone(claim.key));
  const left = claims.filter((claim) => !isGone(claim.key));
  const lines = release(saved, claims, gone, false);
  for (const address of addresses.map((each: Address): string => hostText(each))) {
    if (left.some((claim) => claim.address === address)) continue;
    for (const line of acceptLines(address)) {
      if (saved.includes(line) && !lines.includes(deletion(line))) lines.push(deletion(line));
    }
  }
  if (hasChain(saved, CLAIMS) && left.length === 0) lines.push(`-F ${CLAIMS}`, `-X ${CLAIMS}`);
  return lines;
}

/** The rules of the attachment that the table lacks, or has against its policy, in words for people. */
export function missing(saved: readonly string[], wanted: Wanted, adminChain: string): string[] {
  const lines = [toForward, toAdmin(adminChain)];
  for (const address of wanted.addresses) for (const line of acceptLines(hostText(address))) lines.push(line);
  const { ingress } = wanted;
  if (ingress !== undefined) {
    for (const line of [toStage1, stage1Ends, stage2Ends, ...bridgeLines(ingress)]) lines.push(line);
  }
  const problems: string[] = [];
  for (const line of lines) if (!saved.includes(line)) problems.push(`expected rule not found: ${line}`);
  if (ingress !== undefined && problems.length === 0) {
    const forward = rulesOf(saved, "FORWARD");
    if (forward.indexOf(toStage1) > forward.indexOf(toForward)) {
      problems.push(`${FORWARD} comes before ${STAGE_1}, so that the policy "${ingress.policy}" has no effect`);
    }
  }
  return problems;
}
