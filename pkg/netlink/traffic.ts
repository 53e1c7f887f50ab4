/**
 * What all messages of traffic control have in common: struct tcmsg and the attributes behind it. Used by qdisc.ts and filter.ts.
 * Source: linux/rtnetlink.h, linux/pkt_sched.h, tc(8).
 */
import { cstring, raw } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";

const TCMSG_BYTES = 20;

/** TCA_*; what stands in the options is the kind's. */
export const trafficAttributes = attributes({
  kind: attribute(1, cstring),
  options: attribute(2, raw),
});

/** What a queue can hang on: these two, or a class (`handle(1, 2)`). TC_H_ROOT, TC_H_INGRESS */
export const trafficParent = { root: 0xffffffff, ingress: 0xfffffff1 } as const;

/** `major:minor` as the kernel numbers queues (minor 0) and classes; in tc's words both are hexadecimal. */
export function handle(major: number, minor = 0): number {
  return major * 0x10000 + minor;
}

/** struct tcmsg. */
export function trafficHeader(linkIndex: number, handleNumber: number, parent: number, info = 0): Writer {
  return new Writer().u8(AF_UNSPEC).u8(0).u16(0).u32(linkIndex).u32(handleNumber).u32(parent).u32(info);
}

/** One object of traffic control as the kernel tells it. */
export interface TrafficObject {
  readonly linkIndex: number;
  readonly handle: number;
  readonly parent: number;
  /** Of filters: priority and protocol. */
  readonly info: number;
  readonly kind: string;
  /** The kind's own; empty where it has none. */
  readonly options: Uint8Array;
}

/** @throws DecodeError; RangeError when even the header is cut */
export function decodeTraffic(body: Uint8Array): TrafficObject {
  const view = viewOf(body);
  const linkIndex = view.getUint32(4, true);
  const handleNumber = view.getUint32(8, true);
  const parent = view.getUint32(12, true);
  const info = view.getUint32(16, true);
  const found = Attributes.decode(body.subarray(TCMSG_BYTES), "traffic");
  return {
    linkIndex,
    handle: handleNumber,
    parent,
    info,
    kind: found.get(trafficAttributes.kind) ?? "",
    options: found.get(trafficAttributes.options) ?? new Uint8Array(0),
  };
}
