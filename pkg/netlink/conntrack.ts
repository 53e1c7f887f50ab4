/**
 * Connection tracking: list flows and delete them. For datagrams that went elsewhere before a mapping came or went: the
 * kernel follows a UDP flow's first decision as long as packets come. Needs a socket of NETLINK_NETFILTER.
 * Source: linux/netfilter/nfnetlink_conntrack.h; filtered dumps since Linux 5.8 (older kernels send everything).
 */

import { address, raw, u8, u16be, u32, u32be } from "../codec/codec.ts";
import type { Address, Family } from "../ip/address.ts";
import { KernelError } from "../linux/errno.ts";
import { Attributes, attribute, attributes, nested } from "./attributes.ts";
import { familyNumber } from "./family.ts";
import { NFGENMSG_BYTES, netfilterMessage, subsystem } from "./netfilter.ts";
import type { NetlinkSocket } from "./socket.ts";

/** IPCTNL_MSG_CT_* */
const GET_FLOWS = (subsystem.conntrack << 8) | 1;
const DELETE_FLOW = (subsystem.conntrack << 8) | 2;

/** CTA_* */
const flowAttributes = attributes({
  original: nested(1),
  reply: nested(2),
  id: attribute(12, u32be),
  zone: attribute(18, u16be),
  filter: nested(25),
});
/** CTA_TUPLE_ORIG, as it came: what a deletion sends back. */
const originalBytes = attribute(1, raw);

/** CTA_TUPLE_* */
const tupleAttributes = attributes({
  ip: nested(1),
  protocol: nested(2),
});
/** CTA_IP_* */
const ipAttributes = attributes({
  source4: attribute(1, address),
  destination4: attribute(2, address),
  source6: attribute(3, address),
  destination6: attribute(4, address),
});
/** CTA_PROTO_* */
const protocolAttributes = attributes({
  number: attribute(1, u8),
  sourcePort: attribute(2, u16be),
  destinationPort: attribute(3, u16be),
});
/** CTA_FILTER_*: which members of the tuples in the request count; bits as the kernel's CTA_FILTER_F_*, host order. */
const filterAttributes = attributes({
  original: attribute(1, u32),
  reply: attribute(2, u32),
});
const FILTER_DESTINATION = 1 << 1;
const FILTER_PROTOCOL = 1 << 3;
const FILTER_DESTINATION_PORT = 1 << 5;

/** One direction of a flow. Ports are `undefined` for protocols without. */
export interface Tuple {
  readonly protocol: number;
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

/** A tracked flow. `original` is how its first packet came in, `reply` what answers look like, after translation. */
export interface Flow {
  readonly family: Family;
  readonly original: Tuple;
  readonly reply: Tuple;
  readonly zone: number;
  readonly id: number;
  readonly originalBytes: Uint8Array;
}

/** Which flows, by their original direction; `undefined` means any. */
export interface FlowFilter {
  readonly family: Family;
  readonly protocol: number;
  readonly destination: Address | undefined;
  readonly destinationPort: number | undefined;
}

/** The flows that pass the filter. Newer kernels send only these; what older ones send besides is dropped here. */
export function listFlows(socket: NetlinkSocket, filter: FlowFilter): Flow[] {
  const body = netfilterMessage(familyNumber(filter.family), encodeFilter(filter));
  const flows: Flow[] = [];
  for (const message of socket.dump("list tracked flows", GET_FLOWS, body)) {
    const flow = decodeFlow(message.body);
    if (flow !== undefined && passes(flow, filter)) flows.push(flow);
  }
  return flows;
}

/** Deletes a flow; whether it was still there. Another flow that took its place meanwhile stays. */
export function deleteFlow(socket: NetlinkSocket, flow: Flow): boolean {
  const content = new Attributes()
    .set(originalBytes, flow.originalBytes)
    .set(flowAttributes.zone, flow.zone === 0 ? undefined : flow.zone)
    .set(flowAttributes.id, flow.id);
  try {
    socket.request(`delete ${flowText(flow)}`, DELETE_FLOW, 0, netfilterMessage(familyNumber(flow.family), content));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return false;
    throw error;
  }
}

/** Deletes the flows that pass the filter and the predicate, and tells how many there were. @throws KernelError */
export function deleteFlows(
  socket: NetlinkSocket,
  filter: FlowFilter,
  wanted: (flow: Flow) => boolean = (_flow: Flow): boolean => true,
): number {
  let count = 0;
  for (const flow of listFlows(socket, filter)) {
    if (wanted(flow) && deleteFlow(socket, flow)) count += 1;
  }
  return count;
}

/** `flow of protocol 17 10.1.0.2:4711 -> 192.0.2.1:53`, for messages. */
export function flowText(flow: Flow): string {
  const { protocol, source, sourcePort, destination, destinationPort } = flow.original;
  return `flow of protocol ${protocol} ${endText(source, sourcePort)} -> ${endText(destination, destinationPort)}`;
}

function endText(end: Address, port: number | undefined): string {
  if (port === undefined) return end.toString();
  return end.family === 6 ? `[${end.toString()}]:${port}` : `${end.toString()}:${port}`;
}

function encodeFilter(filter: FlowFilter): Attributes {
  const protocol = new Attributes()
    .set(protocolAttributes.number, filter.protocol)
    .set(protocolAttributes.destinationPort, filter.destinationPort);
  const tuple = new Attributes();
  let bits = FILTER_PROTOCOL;
  if (filter.destinationPort !== undefined) bits |= FILTER_DESTINATION_PORT;
  // IPv6 addresses are left to passes(): kernels up to 6.18 at least send the flows to every other address instead.
  if (filter.destination !== undefined && filter.family === 4) {
    tuple.set(tupleAttributes.ip, new Attributes().set(ipAttributes.destination4, filter.destination));
    bits |= FILTER_DESTINATION;
  }
  tuple.set(tupleAttributes.protocol, protocol);
  const members = new Attributes().set(filterAttributes.original, bits).set(filterAttributes.reply, 0);
  return new Attributes().set(flowAttributes.original, tuple).set(flowAttributes.filter, members);
}

function passes(flow: Flow, filter: FlowFilter): boolean {
  const { protocol, destination, destinationPort } = flow.original;
  if (flow.family !== filter.family || protocol !== filter.protocol) return false;
  if (filter.destinationPort !== undefined && destinationPort !== filter.destinationPort) return false;
  return filter.destination === undefined || filter.destination.equals(destination);
}

/** `undefined` for what is no flow between two IP addresses. @throws DecodeError */
function decodeFlow(body: Uint8Array): Flow | undefined {
  const found = Attributes.decode(body.subarray(NFGENMSG_BYTES), "flow");
  const original = decodeTuple(found.get(flowAttributes.original));
  const reply = decodeTuple(found.get(flowAttributes.reply));
  const bytes = found.get(originalBytes);
  if (original === undefined || reply === undefined || bytes === undefined) return undefined;
  return {
    family: original.source.family,
    original,
    reply,
    zone: found.get(flowAttributes.zone) ?? 0,
    id: found.get(flowAttributes.id) ?? 0,
    originalBytes: bytes,
  };
}

function decodeTuple(tuple: Attributes | undefined): Tuple | undefined {
  const ip = tuple?.get(tupleAttributes.ip);
  const protocol = tuple?.get(tupleAttributes.protocol);
  const source = ip?.get(ipAttributes.source4) ?? ip?.get(ipAttributes.source6);
  const destination = ip?.get(ipAttributes.destination4) ?? ip?.get(ipAttributes.destination6);
  if (protocol === undefined || source === undefined || destination === undefined) return undefined;
  return {
    protocol: protocol.get(protocolAttributes.number) ?? 0,
    source,
    destination,
    sourcePort: protocol.get(protocolAttributes.sourcePort),
    destinationPort: protocol.get(protocolAttributes.destinationPort),
  };
}
