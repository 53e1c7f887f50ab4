/**
 * Data in registers, keys and maps: each with its bytes and the text nft prints for it.
 * Type numbers are nft's own (its enum datatypes); the kernel only keeps them for user space.
 */
import { u32be } from "../codec/codec.ts";
import { parseHex, toHex } from "../codec/hex.ts";
import type { Address, Family } from "../ip/address.ts";
import { formatMac } from "../ip/mac.ts";

/** A kind of data. `length` is in bytes. */
export interface DataType {
  readonly name: string;
  readonly number: number;
  readonly length: number;
  readonly order: "host" | "network" | "none";
}

export const ipv4Type: DataType = { name: "ipv4_addr", number: 7, length: 4, order: "network" };
export const ipv6Type: DataType = { name: "ipv6_addr", number: 8, length: 16, order: "network" };
export const etherType: DataType = { name: "ether_addr", number: 9, length: 6, order: "network" };
export const protocolType: DataType = { name: "inet_proto", number: 12, length: 1, order: "network" };
export const portType: DataType = { name: "inet_service", number: 13, length: 2, order: "network" };
export const interfaceType: DataType = { name: "ifname", number: 41, length: 16, order: "host" };
/** NFT_DATA_VERDICT: a map of this type decides what becomes of the packet. */
export const verdictType: DataType = { name: "verdict", number: 0xffffff00, length: 0, order: "none" };

/** The address type of an IP family. */
export function addressType(family: Family): DataType {
  return family === 4 ? ipv4Type : ipv6Type;
}

/** One value and how nft writes it. */
export interface Datum {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** `0x0000002a`: how nft writes marks. */
export function hex32(value: number): string {
  return `0x${toHex(u32be.encode(value))}`;
}

export function addressDatum(address: Address): Datum {
  return { text: address.toString(), bytes: address.bytes };
}

/** A hardware address of six bytes. */
export function etherDatum(bytes: Uint8Array): Datum {
  return { text: formatMac(bytes), bytes };
}

/** 16 bytes as two groups of hexadecimal digits, joined by a hyphen: the key by which an owner is found. */
export function ownerDatum(key: string): Datum {
  return { text: key, bytes: parseHex(key.split("-").join("")) ?? new Uint8Array(16) };
}

export function portDatum(port: number): Datum {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, port, false);
  return { text: port.toString(), bytes };
}

/** A transport protocol by its number (IPPROTO_*). */
export function protocolDatum(protocol: number): Datum {
  return { text: protocolName(protocol), bytes: new Uint8Array([protocol]) };
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 33:
      return "dccp";
    case 58:
      return "ipv6-icmp";
    case 132:
      return "sctp";
    case 136:
      return "udplite";
    default:
      return protocol.toString();
  }
}

export function markDatum(mark: number): Datum {
  return { text: hex32(mark), bytes: hostU32(mark) };
}

/** A 32-bit number as registers hold those of the host. */
export function hostU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
  return bytes;
}

/** An interface's full name, up to 15 bytes; a trailing `*` matches whatever follows and fits comparisons only. */
export function interfaceDatum(name: string): Datum {
  const pattern = name.endsWith("*");
  const text = new TextEncoder().encode(pattern ? name.slice(0, -1) : name);
  if (text.length > 15) throw new RangeError(`"${name}" is too long for an interface's name`);
  const bytes = new Uint8Array(pattern ? text.length : 16);
  bytes.set(text);
  return { text: `"${name}"`, bytes };
}

/** An EtherType as `ether type` and `meta protocol` have it. */
export function etherTypeDatum(name: "ip" | "ip6" | "arp"): Datum {
  switch (name) {
    case "ip":
      return { text: name, bytes: new Uint8Array([0x08, 0x00]) };
    case "ip6":
      return { text: name, bytes: new Uint8Array([0x86, 0xdd]) };
    case "arp":
      return { text: name, bytes: new Uint8Array([0x08, 0x06]) };
  }
}

/** Several values as one key: each padded to 4 bytes, the size of a register. One alone stays as it is. */
export function concatenation(parts: readonly Datum[]): Datum {
  const first = parts.at(0);
  if (first !== undefined && parts.length === 1) return first;
  const texts: string[] = [];
  let length = 0;
  for (const part of parts) length += padded(part.bytes.length);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    texts.push(part.text);
    bytes.set(part.bytes, at);
    at += padded(part.bytes.length);
  }
  return { text: texts.join(" . "), bytes };
}

/** `length` rounded up to whole 32-bit registers. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}
