/**
 * A route with everything that the kernel told of it, to be put into another table, or made again, as it is: what no field of
 * `Route` says (metrics, encapsulation, preference, nexthop objects) goes along. How they are listed, added and deleted: route-copies.ts.
 * Source: linux/rtnetlink.h (struct rtmsg, struct rtnexthop, struct rta_cacheinfo, RTA_*).
 */
import { toHex } from "../codec/hex.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { Attributes } from "./attributes.ts";
import { NLA_HDRLEN, NLA_TYPE_MASK } from "./headers/netlink.ts";
import { RTM_F_CLONED, RTM_NEWROUTE, RTMSG_BYTES, RTNEXTHOP_BYTES, RTNH_F_ONLINK } from "./headers/rtnetlink.ts";
import { messageBody } from "./message.ts";
import { decodeRoute, type Route } from "./route-message.ts";

/** RTA_* */
const LINK_INDEX = 4;
const GATEWAY = 5;
const MULTIPATH = 9;
const REALM = 11;
const CACHE_INFO = 12;
const TABLE = 15;
const VIA = 18;
const ENCAPSULATION_TYPE = 21;
const ENCAPSULATION = 22;
const EXPIRES = 23;
const NEXTHOP_ID = 30;
/** What belongs to one way of a route. */
const OF_WAY: readonly number[] = [GATEWAY, REALM, VIA, ENCAPSULATION_TYPE, ENCAPSULATION];

/** struct rta_cacheinfo: rta_expires, in 1/100 s; 0 is never. */
const EXPIRES_AT = 8;
const TICKS_PER_SECOND = 100;

/** One attribute as it came. */
class Part {
  /** With NLA_F_NESTED where it was set. */
  readonly id: number;
  readonly payload: Uint8Array;
  constructor(id: number, payload: Uint8Array) {
    this.id = id;
    this.payload = payload;
  }
}

/** One way of a route. */
class Way {
  readonly linkIndex: number;
  readonly flags: number;
  /** rtnh_hops: the weight less one. */
  readonly hops: number;
  readonly parts: readonly Part[];
  constructor(linkIndex: number, flags: number, hops: number, parts: readonly Part[]) {
    this.linkIndex = linkIndex;
    this.flags = flags & RTNH_F_ONLINK;
    this.hops = hops;
    this.parts = parts;
  }
}

function partsOf(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (at + NLA_HDRLEN <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < NLA_HDRLEN || at + length > bytes.length) break;
    parts.push(new Part(view.getUint16(at + 2, true), bytes.subarray(at + NLA_HDRLEN, at + length)));
    at += (length + 3) & ~3;
  }
  return parts;
}

function waysOf(bytes: Uint8Array, indexNow: (index: number) => number): Way[] {
  const ways: Way[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (at + RTNEXTHOP_BYTES <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_BYTES || at + length > bytes.length) break;
    const parts = partsOf(bytes.subarray(at + RTNEXTHOP_BYTES, at + length));
    ways.push(new Way(indexNow(view.getUint32(at + 4, true)), view.getUint8(at + 2), view.getUint8(at + 3), parts));
    at += (length + 3) & ~3;
  }
  return ways;
}

function attributesOf(parts: readonly Part[]): Attributes {
  const out = new Attributes();
  for (const part of parts) out.put(part.id, part.payload);
  return out;
}

function number(value: number): Uint8Array {
  return new Writer().u32(value).done();
}

/** A route of the kernel's, whole. */
export class RouteCopy {
  readonly route: Route;
  /** The kernel's message, which a record may keep. */
  readonly body: Uint8Array;
  private readonly header: Uint8Array;
  private readonly flags: number;
  /** What is the route's and no way's. */
  private readonly parts: Part[] = [];
  private readonly ways: Way[];
  private readonly nexthopId: Uint8Array | undefined;
  /** Seconds from when it was listed; 0 is for ever. */
  private readonly expiresSeconds: number;

  constructor(route: Route, body: Uint8Array, indexNow: (index: number) => number = (index) => index) {
    this.route = route;
    this.body = body;
    this.header = body.subarray(0, RTMSG_BYTES);
    this.flags = viewOf(body).getUint32(8, true);
    const single: Part[] = [];
    let linkIndex = 0;
    let ways: Way[] = [];
    let nexthopId: Uint8Array | undefined;
    let expiresSeconds = 0;
    for (const part of partsOf(body.subarray(RTMSG_BYTES))) {
      const { payload } = part;
      const id = part.id & NLA_TYPE_MASK;
      const view = viewOf(payload);
      if (id === LINK_INDEX) linkIndex = indexNow(view.getUint32(0, true));
      else if (id === MULTIPATH) ways = waysOf(payload, indexNow);
      else if (id === NEXTHOP_ID) nexthopId = payload;
      else if (id === CACHE_INFO) {
        expiresSeconds = Math.ceil(Math.max(0, view.getInt32(EXPIRES_AT, true)) / TICKS_PER_SECOND);
      } else if (OF_WAY.includes(id)) single.push(part);
      else if (id !== TABLE && id !== EXPIRES) this.parts.push(part);
    }
    this.ways = ways.length > 0 ? ways : [new Way(linkIndex, this.flags, 0, single)];
    this.nexthopId = nexthopId;
    this.expiresSeconds = expiresSeconds;
  }

  /** Of a kept message; `undefined` when it is about no route. @throws DecodeError; RangeError */
  static of(body: Uint8Array): RouteCopy | undefined {
    const route = decodeRoute({ type: RTM_NEWROUTE, body });
    return route === undefined ? undefined : new RouteCopy(route, body);
  }

  /** The same over a link that has another index by now. */
  renumbered(was: number, is: number): RouteCopy {
    return new RouteCopy(this.route, this.body, (index: number): number => (index === was ? is : index));
  }

  /** Whether the kernel only remembers here what it found elsewhere. */
  get isCached(): boolean {
    return (this.flags & RTM_F_CLONED) !== 0;
  }

  /** Whether its ways are those of a nexthop object (ip-nexthop(8)). */
  get isOfObject(): boolean {
    return this.nexthopId !== undefined;
  }

  /** Whether it has other ways than over this link. */
  isSharedBy(linkIndex: number): boolean {
    return this.ways.some((way) => way.linkIndex !== linkIndex);
  }

  /** Whether it leads to a gateway, and not to the link itself. */
  get hasGateway(): boolean {
    return this.route.gateway !== undefined || this.route.nexthops.some((hop) => hop.gateway !== undefined);
  }

  /** What two routes have in common that differ in nothing but their table, and in ways that are not over this link. */
  keyOver(linkIndex: number): string {
    const view = viewOf(this.header);
    const words: string[] = [];
    for (const at of [0, 1, 2, 3, 5, 6, 7]) words.push(view.getUint8(at).toString());
    words.push(toHex(attributesOf(this.parts).encode()));
    const ways: string[] = [];
    const own = this.ways.filter((way) => way.linkIndex === linkIndex);
    for (const way of own) {
      const weight = own.length === 1 ? 0 : way.hops;
      ways.push(`${way.flags} ${weight} ${toHex(attributesOf(way.parts).encode())}`);
    }
    return `${words.join(" ")} ${ways.toSorted((a, b) => (a < b ? -1 : 1)).join(",")}`;
  }

  /** The message about this route in `table`, with only its ways over the link. */
  message(table: number, linkIndex: number, mayNameNexthop = true): Uint8Array {
    const own = this.ways.filter((way) => way.linkIndex === linkIndex);
    const isObject = mayNameNexthop && this.nexthopId !== undefined && own.length === this.ways.length;
    const only = own.length === 1 && !isObject ? own.at(0) : undefined;
    const content = attributesOf(this.parts);
    content.put(TABLE, number(table));
    if (this.expiresSeconds > 0) content.put(EXPIRES, number(this.expiresSeconds));
    if (isObject) {
      content.put(NEXTHOP_ID, this.nexthopId ?? new Uint8Array(0));
    } else if (only !== undefined) {
      content.put(LINK_INDEX, number(only.linkIndex));
      for (const part of only.parts) content.put(part.id, part.payload);
    } else {
      content.put(MULTIPATH, encodeWays(own));
    }
    const view = viewOf(this.header);
    const header = new Writer();
    for (const at of [0, 1, 2, 3]) header.u8(view.getUint8(at));
    header.u8(table > 255 ? 0 : table);
    for (const at of [5, 6, 7]) header.u8(view.getUint8(at));
    return messageBody(header.u32(only === undefined ? 0 : only.flags), content);
  }

  /** "default via 10.1.0.1", for messages. */
  toString(): string {
    const gateway = this.route.gateway === undefined ? "" : ` via ${this.route.gateway.toString()}`;
    return `${this.route.destination.toString()}${gateway}`;
  }
}

function encodeWays(ways: readonly Way[]): Uint8Array {
  const out = new Writer();
  for (const way of ways) {
    const content = attributesOf(way.parts).encode();
    out
      .u16(RTNEXTHOP_BYTES + content.length)
      .u8(way.flags)
      .u8(way.hops)
      .u32(way.linkIndex)
      .bytes(content)
      .align(4);
  }
  return out.done();
}
