/**
 * Selectors: what of a packet a rule looks at. Each is loaded into registers; match.ts compares them or looks them up.
 * Source: linux/netfilter/nf_tables.h; header layouts from RFC 791, RFC 8200, RFC 9293, IEEE 802.3.
 */
import type { Family } from "../ip/address.ts";
import type { Attributes } from "../netlink/attributes.ts";
import { header, metaKey, type Need, putCt, putMeta, putPayload } from "./expression.ts";

/** Something to look at. `length` is in bytes; `load` reads the first `length` of them, at most all. */
export interface Selector {
  readonly text: string;
  readonly length: number;
  readonly needs: readonly Need[];
  readonly load: (out: Attributes, register: number, length: number) => void;
}

function payload(text: string, needs: readonly Need[], base: number, offset: number, width: number): Selector {
  return {
    text,
    length: width,
    needs,
    load: (out: Attributes, register: number, length: number): void => {
      putPayload(out, register, base, offset, length);
    },
  };
}

function meta(text: string, key: number, width: number): Selector {
  return {
    text,
    length: width,
    needs: [],
    load: (out: Attributes, register: number, _length: number): void => putMeta(out, register, key),
  };
}

export const ip4Source: Selector = payload("ip saddr", ["ipv4"], header.network, 12, 4);
export const ip4Destination: Selector = payload("ip daddr", ["ipv4"], header.network, 16, 4);
export const ip6Source: Selector = payload("ip6 saddr", ["ipv6"], header.network, 8, 16);
export const ip6Destination: Selector = payload("ip6 daddr", ["ipv6"], header.network, 24, 16);

/** The source address of an IP family. */
export function sourceAddress(family: Family): Selector {
  return family === 4 ? ip4Source : ip6Source;
}

/** The destination address of an IP family. */
export function destinationAddress(family: Family): Selector {
  return family === 4 ? ip4Destination : ip6Destination;
}

export const etherSource: Selector = payload("ether saddr", ["ethernet"], header.link, 6, 6);

/** Ports of whatever transport the packet has: match `transportProtocol` too. */
export const sourcePort: Selector = payload("th sport", [], header.transport, 0, 2);
export const destinationPort: Selector = payload("th dport", [], header.transport, 2, 2);

export const tcpSourcePort: Selector = payload("tcp sport", ["tcp"], header.transport, 0, 2);
export const tcpDestinationPort: Selector = payload("tcp dport", ["tcp"], header.transport, 2, 2);
export const udpSourcePort: Selector = payload("udp sport", ["udp"], header.transport, 0, 2);
export const udpDestinationPort: Selector = payload("udp dport", ["udp"], header.transport, 2, 2);
export const sctpSourcePort: Selector = payload("sctp sport", ["sctp"], header.transport, 0, 2);
export const sctpDestinationPort: Selector = payload("sctp dport", ["sctp"], header.transport, 2, 2);

/** protocolDatum */
export const transportProtocol: Selector = meta("meta l4proto", metaKey.transport, 1);
/** etherTypeDatum, in any family */
export const networkProtocol: Selector = meta("meta protocol", metaKey.protocol, 2);
/** interfaceDatum */
export const inputInterface: Selector = meta("iifname", metaKey.inputName, 16);
/** interfaceDatum */
export const outputInterface: Selector = meta("oifname", metaKey.outputName, 16);
/** markDatum */
export const packetMark: Selector = meta("meta mark", metaKey.mark, 4);

const CT_PROTO_DST = 12; // NFT_CT_PROTO_DST
/** The port that the connection's first packet was sent to, before any translation: portDatum. */
export const originalDestinationPort: Selector = {
  text: "ct original proto-dst",
  length: 2,
  needs: [],
  load: (out: Attributes, register: number, _length: number): void => putCt(out, register, CT_PROTO_DST, 0),
};
