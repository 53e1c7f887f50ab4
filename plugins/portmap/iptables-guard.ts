/**
 * route_localnet, which lets the host's own connections out, would let others' packets to localhost in. Beside mappings in iptables,
 * a chain in the table raw drops these, and remembers which interfaces are open because of us. All mappings share it:
 *
 *   -A PREROUTING -d 127.0.0.0/8 ! -i lo … -j FERRULE-PORTMAP
 *   -A FERRULE-PORTMAP -j DROP
 *   -A FERRULE-PORTMAP -i cni0                                # until nothing is mapped any more
 *   -A FERRULE-PORTMAP -i veth1a2b -m comment --comment KEY   # until its container goes, whose own it is
 *
 * Nothing of 127.0.0.0/8 is on the wire of a mapped connection: it is masqueraded, and this table comes before answers are translated back.
 */
import { alone } from "../../pkg/iptables/alone.ts";
import { iptablesWithChain } from "../../pkg/iptables/installed.ts";
import { Iptables } from "../../pkg/iptables/iptables.ts";
import {
  chainDeletion,
  commentWords,
  deletion,
  hasChain,
  inFront,
  ruleLine,
  rulesOf,
} from "../../pkg/iptables/rule-line.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { CniError, drift } from "../../spec/errors.ts";
import { isMappedElsewhere } from "./held-elsewhere.ts";
import { goesWithContainer, isLeftOver, isOutByDefault, keepLocalhostIn, letsLocalhostOut } from "./localhost.ts";
import { isRemembered } from "./tagged.ts";

const TABLE = "raw";
const GUARD = "FERRULE-PORTMAP";

/** What the guard is without interfaces, in words of iptables-save. */
function standingLines(): string[] {
  const fromOutside = ["-d", "127.0.0.0/8", "!", "-i", "lo", ...commentWords("CNI portfwd guard of localhost")];
  return [ruleLine(["-A", GUARD, "-j", "DROP"]), ruleLine(["-A", "PREROUTING", ...fromOutside, "-j", GUARD])];
}

/** An interface that is open because of us. */
export interface OpenInterface {
  readonly name: string;
  /** The key of the attachment whose own it is; empty when it is shared. */
  readonly owner: string;
}

function lineOf({ name, owner }: OpenInterface): string {
  return ruleLine(["-A", GUARD, "-i", name, ...(owner === "" ? [] : commentWords(owner))]);
}

/** The interfaces that the table remembers. */
export function openInterfaces(saved: readonly string[]): OpenInterface[] {
  const found: OpenInterface[] = [];
  for (const line of rulesOf(saved, GUARD)) {
    const words = line.split(" ");
    if (words.at(2) === "-i") found.push({ name: words.at(3) ?? "", owner: words.at(7) ?? "" });
  }
  return found;
}

/** The lines that make what is missing of the guard; none when all is there. */
export function guarding(saved: readonly string[], open: OpenInterface | undefined): string[] {
  const lines: string[] = hasChain(saved, GUARD) ? [] : [`-N ${GUARD}`];
  for (const line of missingIn(saved)) lines.push(inFront(line));
  if (open !== undefined && !saved.includes(lineOf(open))) lines.push(lineOf(open));
  return lines;
}

function missingIn(saved: readonly string[]): string[] {
  return standingLines().filter((line) => !saved.includes(line));
}

/**
 * Makes sure that nobody reaches the host's localhost through the interface, and remembers it unless others than us opened it.
 * @throws CniError 5, also when the kernel has no such table: the interface is not to be opened then
 */
export function ensureGuard(host: NetworkStack, towards: Link, key: string): void {
  const open: OpenInterface = { name: towards.name, owner: goesWithContainer(towards) ? key : "" };
  const isOthers = letsLocalhostOut(host, open.name) && !isLeftOver(host, open.name) && !isRemembered(host, open.name);
  const known = isOutByDefault(host) || (isOthers && open.owner === "") ? undefined : open;
  const iptables = Iptables.require(4);
  try {
    iptables.change(TABLE, (saved) => guarding(saved, known));
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw error.withDetails(
      'a rule there keeps others from the localhost that mappings open: if the kernel lacks the table, load the module iptable_raw; "snat": false opens nothing and needs no rule',
    );
  }
}

/** A node whose mappings are all the reference's has no guard. @throws CniError 102 when there is one that is not whole */
export function verifyGuard(): void {
  const saved = Iptables.require(4).read(TABLE);
  if (!hasChain(saved, GUARD)) return;
  for (const line of missingIn(saved)) {
    throw drift(
      `others may reach the host's localhost: iptables' table ${TABLE} lacks ${line}`,
      "any ADD of portmap in iptables makes it again",
    );
  }
}

/** Whether the guard remembers the interface as one that is open because of us; a program runs only where there is one. */
export function isGuardedInIptables(host: NetworkStack, name: string): boolean {
  return readGuards(host).some((each) => each.name === name);
}

function readGuards(host: NetworkStack): OpenInterface[] {
  const found: OpenInterface[] = [];
  for (const iptables of guards(host)) for (const each of openInterfaces(iptables.read(TABLE))) found.push(each);
  return found;
}

/** Without programs to read a guard, it stays and guards on. */
function guards(host: NetworkStack): Iptables[] {
  return iptablesWithChain(host, 4, TABLE, GUARD, () => false);
}

/**
 * Closes the interfaces of attachments that are gone by `isGone(key)`; when nothing is mapped any more, all that were opened, and removes
 * the guard. Absence is success. @throws CniError 5; the file system's error when /proc/sys cannot be written
 */
export function releaseGuard(host: NetworkStack, isGone: (key: string) => boolean): void {
  for (const iptables of guards(host)) alone(() => release(host, iptables, isGone));
}

function release(host: NetworkStack, iptables: Iptables, isGone: (key: string) => boolean): void {
  const isNeeded = isMappedElsewhere(host, 4);
  iptables.change(TABLE, (saved) => {
    const gone = openInterfaces(saved).filter(({ owner }) => !isNeeded || (owner !== "" && isGone(owner)));
    // The guard goes last, or an interrupted DEL would leave them open and unknown.
    for (const { name } of gone) if (!isRemembered(host, name)) keepLocalhostIn(host, name);
    return isNeeded ? gone.map((each: OpenInterface): string => deletion(lineOf(each))) : chainDeletion(saved, GUARD);
  });
}
