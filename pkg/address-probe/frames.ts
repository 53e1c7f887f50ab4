/**
 * The frames by which a host asks whether an address is free, and those by which another says that it is not. Pure.
 * Source: RFC 826 and RFC 5227 (ARP), RFC 4861 and RFC 4862 section 5.4 (IPv6).
 */
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { Address } from "../ip/address.ts";
import { formatMac } from "../ip/mac.ts";
import { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 } from "../netlink/headers/if-ether.ts";

const ETHERNET_BYTES = 14;
const MAC_BYTES = 6;
const BROADCAST = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

const ARP_BYTES = 28;
/** Hardware type Ethernet, protocol IPv4, addresses of 6 and 4 bytes: the first six bytes of the packet. */
const ARP_ETHERNET = 1;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

const SIX_HEADER_BYTES = 40;
const ICMP_SIX = 58;
/** Set by the sender and lowered by routers: what has it comes from this link. */
const HOP_LIMIT = 255;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** In the flags of an advertisement. */
const OVERRIDE = 0x20000000;
/** The option that tells the target's hardware address. */
const TARGET_MAC = 2;
/** Type, code, checksum, four bytes of flags, target. */
const DISCOVERY_BYTES = 24;

/** Somebody's word that an address is in use. */
export interface Claim {
  readonly address: Address;
  /** The hardware address of who says so. */
  readonly mac: string;
}

/** Asks who has the address, without claiming it: its sender has none yet. */
export function probeFrame(mac: Uint8Array, address: Address): Uint8Array {
  return address.family === 4 ? arpProbe(mac, address) : solicitation(mac, address);
}

/** Tells the neighbours that the address is ours now. */
export function announcementFrame(mac: Uint8Array, address: Address): Uint8Array {
  return address.family === 4 ? arpRequest(mac, address, address) : advertisement(mac, address);
}

/** RFC 5227 section 2.1.1: a request whose sender address is zero. */
function arpProbe(mac: Uint8Array, address: Address): Uint8Array {
  return arpRequest(mac, new Address(new Uint8Array(4)), address);
}

function arpRequest(mac: Uint8Array, sender: Address, target: Address): Uint8Array {
  return new Writer()
    .bytes(BROADCAST)
    .bytes(mac)
    .u16be(ETH_P_ARP)
    .u16be(ARP_ETHERNET)
    .u16be(ETH_P_IP)
    .u8(MAC_BYTES)
    .u8(4)
    .u16be(ARP_REQUEST)
    .bytes(mac)
    .bytes(sender.bytes)
    .bytes(new Uint8Array(MAC_BYTES))
    .bytes(target.bytes)
    .done();
}

/** RFC 4862 section 5.4.2: a neighbour solicitation from the unspecified address, to those who might have this one. */
function solicitation(mac: Uint8Array, address: Address): Uint8Array {
  const message = new Writer().u8(SOLICITATION).u8(0).u16be(0).u32be(0).bytes(address.bytes).done();
  return discovery(mac, new Uint8Array(16), solicitedNode(address), message);
}

/** RFC 4861 section 7.2.6: an unsolicited advertisement to all, which overrides what they knew. */
function advertisement(mac: Uint8Array, address: Address): Uint8Array {
  const message = new Writer().u8(ADVERTISEMENT).u8(0).u16be(0).u32be(OVERRIDE).bytes(address.bytes);
  return discovery(mac, address.bytes, allNodes(), message.u8(TARGET_MAC).u8(1).bytes(mac).done());
}

/** The frame of a message whose checksum is zero yet. */
function discovery(mac: Uint8Array, source: Uint8Array, group: Uint8Array, message: Uint8Array): Uint8Array {
  const checksum = checksumOf(source, group, message);
  return new Writer()
    .bytes(groupMac(group))
    .bytes(mac)
    .u16be(ETH_P_IPV6)
    .u32be(0x60000000)
    .u16be(message.length)
    .u8(ICMP_SIX)
    .u8(HOP_LIMIT)
    .bytes(source)
    .bytes(group)
    .bytes(message.subarray(0, 2))
    .u16be(checksum)
    .bytes(message.subarray(4))
    .done();
}

/** ff02::1:ffXX:XXXX: the group of all whose address ends like this one (RFC 4291 section 2.7.1). */
function solicitedNode(address: Address): Uint8Array {
  const prefix = Address.parse("ff02::1:ff00:0")?.bytes ?? new Uint8Array(16);
  const out = prefix.slice();
  out.set(address.bytes.subarray(13), 13);
  return out;
}

/** ff02::1 */
function allNodes(): Uint8Array {
  return Address.parse("ff02::1")?.bytes ?? new Uint8Array(16);
}

/** RFC 2464 section 7 */
function groupMac(group: Uint8Array): Uint8Array {
  return new Writer().u16be(0x3333).bytes(group.subarray(12)).done();
}

/** The groups that answers and other hosts' probes for an IPv6 address are sent to, as hardware addresses. */
export function groupsOf(address: Address): Uint8Array[] {
  if (address.family === 4) return [];
  return [groupMac(allNodes()), groupMac(solicitedNode(address))];
}

/** RFC 4443 section 2.3: over a header made of both addresses, length and protocol, and the message. */
function checksumOf(source: Uint8Array, destination: Uint8Array, message: Uint8Array): number {
  const all = new Writer().bytes(source).bytes(destination).u32be(message.length).u32be(ICMP_SIX).bytes(message).done();
  const view = viewOf(all);
  let sum = 0;
  for (let at = 0; at + 1 < all.length; at += 2) sum += view.getUint16(at, false);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/**
 * What a received frame says of an address's use: by its sender's address, by an advertisement, or by asking as we do. `ownMac` is ours:
 * our own probes, which some switches send back, say nothing. `undefined` for all other frames, malformed ones among them.
 */
export function claimIn(frame: Uint8Array, ownMac: string): Claim | undefined {
  if (frame.length < ETHERNET_BYTES) return undefined;
  const packet = frame.subarray(ETHERNET_BYTES);
  const sender = formatMac(frame.subarray(MAC_BYTES, 2 * MAC_BYTES));
  switch (viewOf(frame).getUint16(12, false)) {
    case ETH_P_ARP:
      return claimInArp(packet, ownMac);
    case ETH_P_IPV6:
      return claimInDiscovery(packet, sender, ownMac);
    default:
      return undefined;
  }
}

/**
 * RFC 5227 section 2.1.1. A sender's address counts whatever its hardware address is: interfaces that share one with ours (ipvlan)
 * answer with it.
 */
function claimInArp(packet: Uint8Array, ownMac: string): Claim | undefined {
  if (packet.length < ARP_BYTES) return undefined;
  const view = viewOf(packet);
  if (view.getUint16(0, false) !== ARP_ETHERNET || view.getUint32(2, false) !== 0x08000604) return undefined;
  const operation = view.getUint16(6, false);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return undefined;
  const mac = formatMac(packet.subarray(8, 14));
  const sender = new Address(packet.slice(14, 18));
  if (!sender.isUnspecified) return { address: sender, mac };
  if (operation !== ARP_REQUEST || mac === ownMac) return undefined;
  return { address: new Address(packet.slice(24, 28)), mac };
}

/** RFC 4862 sections 5.4.3 and 5.4.4 */
function claimInDiscovery(packet: Uint8Array, sender: string, ownMac: string): Claim | undefined {
  if (packet.length < SIX_HEADER_BYTES + DISCOVERY_BYTES) return undefined;
  const view = viewOf(packet);
  if (view.getUint8(6) !== ICMP_SIX || view.getUint8(7) !== HOP_LIMIT) return undefined;
  const type = view.getUint8(SIX_HEADER_BYTES);
  const source = new Address(packet.slice(8, 24));
  const target = new Address(packet.slice(SIX_HEADER_BYTES + 8, SIX_HEADER_BYTES + DISCOVERY_BYTES));
  if (type === ADVERTISEMENT) return { address: target, mac: sender };
  if (type !== SOLICITATION) return undefined;
  if (!source.isUnspecified) return { address: source, mac: sender };
  return sender === ownMac ? undefined : { address: target, mac: sender };
}
