/**
 * Asks a segment's hosts whether addresses are free before they are used: ARP probes (RFC 5227), and neighbour solicitations as in IPv6's
 * duplicate address detection (RFC 4862). Used by plugins whose containers share a segment with hosts that no IPAM plugin knows of.
 */
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Address } from "../ip/address.ts";
import { parseMac } from "../ip/mac.ts";
import { PacketSocket, receiveFrames } from "../linux/packet-socket.ts";
import { randomBytes } from "../linux/random.ts";
import { listAddresses } from "../netlink/address.ts";
import { ETH_P_ARP, ETH_P_IPV6 } from "../netlink/headers/if-ether.ts";
import { changeLink, type Link } from "../netlink/link.ts";
import type { NetworkStack } from "../netlink/stack.ts";
import { waitForLink } from "../netlink/wait.ts";
import { announcementFrame, type Claim, claimIn, groupsOf, probeFrame } from "./frames.ts";
import { drawn, type Probing, timingOf } from "./timing.ts";

/** How long a link may take to have carrier once it is up: the kernel looks once a second at most, and hardware negotiates before. */
const CARRIER_MS = 2500;
const HARDWARE_CARRIER_MS = 10_000;

/** An interface on the segment, and what is known of it. */
export interface ProbePlace {
  readonly stack: NetworkStack;
  /** Has none of the addresses yet. */
  readonly link: Link;
  /** The interface that it is on, where that is no host that hears it: what a macvlan sends to all, its parent does not get. */
  readonly below: LinkBelow | undefined;
}

export interface LinkBelow {
  readonly stack: NetworkStack;
  readonly link: Link;
  /** Whether it gets the answers to ARP: an ipvlan is given packets by addresses, and has not got this one yet. */
  readonly hearsForIt: boolean;
}

/**
 * Makes sure that no other host on the link's segment uses one of the addresses, or is about to. The link is set up, and stays up. With
 * `off` nothing happens.
 * @throws CniError 101 naming the address and who has it, 11 when the link has no carrier; KernelError; Interrupted
 */
export function requireFreeAddresses(place: ProbePlace, addresses: readonly Address[], probing: Probing): void {
  const timing = timingOf(probing);
  if (timing === undefined || addresses.length === 0) return;
  const { stack, link, below } = place;
  if (below !== undefined) requireNotBelow(below, addresses);
  changeLink(stack, link, { up: true });
  requireCarrier(stack, link);
  const sockets = openSockets(place, addresses);
  try {
    const listener = new Listener(sockets, link, addresses);
    listener.listen(pick(timing.delayMs));
    for (let sent = 0; sent < timing.probes; sent++) {
      if (sent > 0) listener.listen(pick(timing.intervalMs));
      for (const each of sockets) sendProbes(each, link, addresses);
    }
    listener.listen(timing.answerMs);
  } finally {
    for (const each of sockets) each.socket.close();
  }
}

/** @throws CniError 101 */
function requireNotBelow(below: LinkBelow, addresses: readonly Address[]): void {
  for (const { prefix } of listAddresses(below.stack, below.link)) {
    if (!addresses.some((each) => each.equals(prefix.address))) continue;
    throw new CniError(
      ErrorCode.Taken,
      `address ${prefix.address.toString()} is the node's own, on ${below.link.name}`,
      "take it out of the range of addresses",
    );
  }
}

/** @throws CniError 11 */
function requireCarrier(stack: NetworkStack, link: Link): void {
  const hasCarrier = (each: Link): boolean => each.operationalState === "up" || each.operationalState === "unknown";
  const waitMs = link.kind === "" ? HARDWARE_CARRIER_MS : CARRIER_MS;
  if (waitForLink(stack, link.index, hasCarrier, waitMs) !== undefined) return;
  throw new CniError(
    ErrorCode.TryAgain,
    `Cannot ask for the addresses of ${link.name}: it has no carrier`,
    "bring the interface below it up and connect it; or do without probeAddresses",
  );
}

/** A socket, and the family that it is for. */
interface FamilySocket {
  readonly family: number;
  readonly socket: PacketSocket;
}

function openSockets({ stack, link, below }: ProbePlace, addresses: readonly Address[]): FamilySocket[] {
  const sockets: FamilySocket[] = [];
  try {
    if (addresses.some((each) => each.family === 4)) {
      const socket = below?.hearsForIt ? openIn(below.stack, below.link, ETH_P_ARP) : openIn(stack, link, ETH_P_ARP);
      sockets.push({ family: 4, socket });
    }
    if (addresses.some((each) => each.family === 6)) {
      const socket = openIn(stack, link, ETH_P_IPV6);
      sockets.push({ family: 6, socket });
      for (const address of addresses) for (const group of groupsOf(address)) socket.join(group);
    }
  } catch (error) {
    for (const each of sockets) each.socket.close();
    throw error;
  }
  return sockets;
}

function openIn(stack: NetworkStack, link: Link, protocol: number): PacketSocket {
  const open = (): PacketSocket => PacketSocket.open(link.index, protocol);
  return stack.namespace === undefined ? open() : stack.namespace.enter(open);
}

function sendProbes(to: FamilySocket, link: Link, addresses: readonly Address[]): void {
  const mac = parseMac(link.mac);
  if (mac === undefined) return;
  for (const address of addresses) if (address.family === to.family) to.socket.send(probeFrame(mac, address));
}

function pick(range: readonly [least: number, most: number]): number {
  return drawn(range, new DataView(randomBytes(4).buffer).getUint32(0, true));
}

/** Hears what the other hosts say. */
class Listener {
  private readonly sockets: PacketSocket[] = [];
  private readonly link: Link;
  private readonly addresses: readonly Address[];
  private claim: Claim | undefined;

  constructor(sockets: readonly FamilySocket[], link: Link, addresses: readonly Address[]) {
    for (const each of sockets) this.sockets.push(each.socket);
    this.link = link;
    this.addresses = addresses;
  }

  /** For so long. @throws CniError 101 as soon as somebody claims one of the addresses; Interrupted */
  listen(waitMs: number): void {
    const names = this.addresses.map((each) => each.toString()).join(", ");
    receiveFrames(this.sockets, `ask for ${names} on ${this.link.name}`, waitMs, (frame: Uint8Array): boolean =>
      this.hear(frame),
    );
    if (this.claim !== undefined) throw addressTaken(this.claim, this.link);
  }

  /** Whether it is a claim of ours. */
  private hear(frame: Uint8Array): boolean {
    const claim = claimIn(frame, this.link.mac);
    if (claim === undefined || !this.addresses.some((each) => each.equals(claim.address))) return false;
    this.claim = claim;
    return true;
  }
}

function addressTaken(claim: Claim, link: Link): CniError {
  return new CniError(
    ErrorCode.Taken,
    `address ${claim.address.toString()} for ${link.name} is used by another host, with hardware address ${claim.mac}`,
    "remove it from that host, or take it out of the range of addresses",
  );
}

/**
 * Tells the neighbours, by frames of our own, that the link's addresses are where it is now: for links that were up before they had
 * them, and whose kernel cannot be made to announce them then. @throws KernelError
 */
export function announceByFrames(stack: NetworkStack, link: Link, addresses: readonly Address[]): void {
  const mac = parseMac(link.mac);
  if (mac === undefined) return;
  const socket = openIn(stack, link, ETH_P_ARP);
  try {
    for (const address of addresses) socket.send(announcementFrame(mac, address));
  } finally {
    socket.close();
  }
}
