/** A route as bytes. Used by route.ts. Source: linux/rtnetlink.h (struct rtmsg, RTA_*, RTAX_*, struct rtnexthop). */
import { address, type Codec, DecodeError, raw, u32 } from "../codec/codec.ts";
import type { Path } from "../codec/path.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { Address } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { Attributes, attribute, attributes, nested } from "./attributes.ts";
import { familyNumber, familyOf } from "./family.ts";
import {
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTM_NEWROUTE,
  RTMSG_BYTES,
  RTN_UNICAST,
  RTNEXTHOP_BYTES,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
} from "./headers/rtnetlink.ts";
import { type Message, messageBody } from "./message.ts";

/** struct rtvia: a gateway of the other family. */
const via: Codec<Address> = {
  encode: (value: Address): Uint8Array => new Writer().u16(familyNumber(value.family)).bytes(value.bytes).done(),
  decode: (bytes: Uint8Array, path: Path): Address => {
    if (bytes.length < 2) throw new DecodeError(path.toString(), `need 2 bytes, have ${bytes.length}`);
    return address.decode(bytes.subarray(2), path);
  },
};

/** RTA_* */
export const routeAttributes = attributes({
  destination: attribute(1, address),
  linkIndex: attribute(4, u32),
  gateway: attribute(5, address),
  priority: attribute(6, u32),
  source: attribute(7, address),
  metrics: nested(8),
  multipath: attribute(9, raw),
  table: attribute(15, u32),
  via: attribute(18, via),
});

/** RTAX_* */
const metricAttributes = attributes({
  /** Bytes. */
  mtu: attribute(2, u32),
  /** Bytes; the TCP segment size to advertise. */
  advmss: attribute(8, u32),
});

/** A route to be made, or to be found for deletion. What is left out, `undefined` or 0 is the kernel's choice. */
export interface RouteSpec {
  readonly destination: Prefix;
  readonly gateway?: Address | undefined;
  readonly linkIndex?: number | undefined;
  /** Lower wins; IPv6 takes 1024 for 0. */
  readonly priority?: number | undefined;
  /** 0 is the main table. */
  readonly table?: number | undefined;
  /** RT_SCOPE_*; global unless given, also without a gateway. */
  readonly scope?: number | undefined;
  /** The address that packets get that have none yet. */
  readonly source?: Address | undefined;
  /** RTPROT_*: who made it; "boot" unless given. */
  readonly protocol?: number | undefined;
  /** RTN_*; unicast unless given. */
  readonly type?: number | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly onLink?: boolean | undefined;
}

/** One of several ways of a route. */
export interface Nexthop {
  readonly gateway: Address | undefined;
  readonly linkIndex: number;
  /** 1 is the least. */
  readonly weight: number;
}

/** A route that the kernel has. Numbers that it does not tell are 0. */
export interface Route {
  readonly destination: Prefix;
  readonly gateway: Address | undefined;
  /** 0 where there are several ways, or none. */
  readonly linkIndex: number;
  readonly priority: number;
  readonly table: number;
  readonly scope: number;
  readonly source: Address | undefined;
  readonly protocol: number;
  readonly type: number;
  readonly mtu: number;
  readonly advmss: number;
  readonly onLink: boolean;
  /** Empty unless there are several. */
  readonly nexthops: readonly Nexthop[];
}

export interface RouteHeader {
  readonly family: number;
  readonly length: number;
  readonly table?: number;
  readonly protocol?: number;
  readonly scope?: number;
  readonly type?: number;
  readonly flags?: number;
}

/** struct rtmsg */
export function routeHeader(header: RouteHeader): Writer {
  const { family, length, table, protocol, scope, type, flags } = header;
  const out = new Writer().u8(family).u8(length).u8(0).u8(0);
  return out
    .u8(table ?? 0)
    .u8(protocol ?? 0)
    .u8(scope ?? 0)
    .u8(type ?? 0)
    .u32(flags ?? 0);
}

/** The message that adds or deletes a route; `scope` where the route gives none. */
export function encodeRoute(route: RouteSpec, scope: number): Uint8Array {
  const { destination } = route;
  const table = positive(route.table) ?? RT_TABLE_MAIN;
  const metrics = new Attributes()
    .set(metricAttributes.mtu, positive(route.mtu))
    .set(metricAttributes.advmss, positive(route.advmss));
  const crossing = route.gateway !== undefined && route.gateway.family !== destination.family;
  const content = new Attributes()
    .set(routeAttributes.destination, destination.length === 0 ? undefined : destination.network)
    .set(routeAttributes.gateway, crossing ? undefined : route.gateway)
    .set(routeAttributes.via, crossing ? route.gateway : undefined)
    .set(routeAttributes.linkIndex, positive(route.linkIndex))
    .set(routeAttributes.priority, positive(route.priority))
    .set(routeAttributes.source, route.source)
    .set(routeAttributes.table, table > 255 ? table : undefined)
    .set(routeAttributes.metrics, metrics.encode().length === 0 ? undefined : metrics);
  const header = routeHeader({
    family: familyNumber(destination.family),
    length: destination.length,
    table: table > 255 ? RT_TABLE_UNSPEC : table,
    protocol: route.protocol ?? RTPROT_BOOT,
    scope: route.scope ?? scope,
    type: route.type ?? RTN_UNICAST,
    flags: (route.onLink ?? false) ? RTNH_F_ONLINK : 0,
  });
  return messageBody(header, content);
}

function positive(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** `undefined` for other messages and families. @throws DecodeError; RangeError */
export function decodeRoute(message: Message): Route | undefined {
  const { type, body } = message;
  if (type !== RTM_NEWROUTE) return undefined;
  const view = viewOf(body);
  const family = familyOf(view.getUint8(0));
  const found = Attributes.decode(body.subarray(RTMSG_BYTES), "route");
  const flags = view.getUint32(8, true);
  if (family === undefined) return undefined;
  const destination = found.get(routeAttributes.destination) ?? new Address(new Uint8Array(family === 4 ? 4 : 16));
  const metrics = found.get(routeAttributes.metrics);
  return {
    destination: new Prefix(destination, view.getUint8(1)),
    gateway: found.get(routeAttributes.gateway) ?? found.get(routeAttributes.via),
    linkIndex: found.get(routeAttributes.linkIndex) ?? 0,
    priority: found.get(routeAttributes.priority) ?? 0,
    table: found.get(routeAttributes.table) ?? view.getUint8(4),
    scope: view.getUint8(6),
    source: found.get(routeAttributes.source),
    protocol: view.getUint8(5),
    type: view.getUint8(7),
    mtu: metrics?.get(metricAttributes.mtu) ?? 0,
    advmss: metrics?.get(metricAttributes.advmss) ?? 0,
    onLink: (flags & RTNH_F_ONLINK) !== 0,
    nexthops: decodeNexthops(found.get(routeAttributes.multipath)),
  };
}

/** RTA_MULTIPATH: structs rtnexthop, each followed by its attributes. @throws DecodeError */
function decodeNexthops(bytes: Uint8Array | undefined): Nexthop[] {
  const hops: Nexthop[] = [];
  if (bytes === undefined) return hops;
  const view = viewOf(bytes);
  let at = 0;
  while (at + RTNEXTHOP_BYTES <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_BYTES || at + length > bytes.length) {
      throw new DecodeError(
        "route/multipath",
        `next hop at byte ${at} claims ${length} bytes, ${bytes.length - at} are left`,
      );
    }
    const found = Attributes.decode(bytes.subarray(at + RTNEXTHOP_BYTES, at + length), "route/multipath");
    hops.push({
      gateway: found.get(routeAttributes.gateway) ?? found.get(routeAttributes.via),
      linkIndex: view.getUint32(at + 4, true),
      weight: view.getUint8(at + 3) + 1,
    });
    at += (length + 3) & ~3;
  }
  return hops;
}
