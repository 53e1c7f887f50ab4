/**
 * Frames that tell the neighbours whose an address is now: gratuitous ARP (RFC 5227 section 2.3) and unsolicited neighbour
 * advertisements (RFC 4861 section 7.2.6). Pure.
 */
import { Writer } from "../codec/writer.ts";
import type { Address } from "../ip/address.ts";

const BROADCAST = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
/** 33:33 and the last four bytes of ff02::1 (RFC 2464 section 7). */
const ALL_NODES_MAC = new Uint8Array([0x33, 0x33, 0, 0, 0, 1]);
const ALL_NODES = new Uint8Array([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const TYPE_ARP = 0x0806;
const TYPE_IPV6 = 0x86dd;
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** O: replaces what the neighbour has. */
const OVERRIDE = 0x20000000;
const TARGET_LINK_ADDRESS = 2;
/** Proves that no router forwarded it (RFC 4861 section 7.1.2). */
const HOP_LIMIT = 255;

/** The Ethernet frame that announces one address; `mac` has six bytes. */
export function announcement(address: Address, mac: Uint8Array): Uint8Array {
  return address.family === 4 ? gratuitousArp(address, mac) : unsolicitedAdvertisement(address, mac);
}

function gratuitousArp(address: Address, mac: Uint8Array): Uint8Array {
  return new Writer()
    .bytes(BROADCAST)
    .bytes(mac)
    .u16be(TYPE_ARP)
    .u16be(1) // Ethernet
    .u16be(0x0800)
    .u8(6)
    .u8(4)
    .u16be(1) // a request, as announcements are
    .bytes(mac)
    .bytes(address.bytes)
    .bytes(new Uint8Array(6))
    .bytes(address.bytes)
    .done();
}

function unsolicitedAdvertisement(address: Address, mac: Uint8Array): Uint8Array {
  const sum = checksum(pseudoHeader(address, advertisement(address, mac, 0)));
  const message = advertisement(address, mac, sum);
  return new Writer()
    .bytes(ALL_NODES_MAC)
    .bytes(mac)
    .u16be(TYPE_IPV6)
    .u32be(0x60000000)
    .u16be(message.length)
    .u8(ICMPV6)
    .u8(HOP_LIMIT)
    .bytes(address.bytes)
    .bytes(ALL_NODES)
    .bytes(message)
    .done();
}

function advertisement(address: Address, mac: Uint8Array, sum: number): Uint8Array {
  return new Writer()
    .u8(NEIGHBOUR_ADVERTISEMENT)
    .u8(0)
    .u16be(sum)
    .u32be(OVERRIDE)
    .bytes(address.bytes)
    .u8(TARGET_LINK_ADDRESS)
    .u8(1) // in units of 8 bytes
    .bytes(mac)
    .done();
}

/** What the checksum covers (RFC 8200 section 8.1). */
function pseudoHeader(address: Address, message: Uint8Array): Uint8Array {
  return new Writer().bytes(address.bytes).bytes(ALL_NODES).u32be(message.length).u32be(ICMPV6).bytes(message).done();
}

/** RFC 1071; `bytes` are even in number. */
function checksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += view.getUint16(at, false);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
