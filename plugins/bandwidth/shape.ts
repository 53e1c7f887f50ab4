/**
 * From what was said (bits a second, bits at once) to what the kernel is told (bytes a second, ticks, bytes). Pure arithmetic; where a
 * burst is given the numbers are the reference's, so that either suite's CHECK finds what it expects.
 */
import { type Bucket, LARGEST_TICKS, NANOSECONDS_PER_TICK } from "../../pkg/netlink/qdisc-options.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Limit } from "./config.ts";

const LARGEST_U32 = 0xffffffff;
const MICROSECONDS = 1_000_000;
const NANOSECONDS = 1_000_000_000;
const TICKS_PER_MICROSECOND = 1000 / NANOSECONDS_PER_TICK;
/** Enough for TCP to keep the rate, and lost in what passes in the first second. */
const DEFAULT_BURST_MS = 20;
/** An Ethernet header, and one with two VLAN tags. */
const HEADER_BYTES = 14;
const LONGEST_HEADER_BYTES = 22;
/** What may wait at the least where nobody has said a burst: TCP needs a few packets on the way. */
const WAITING_PACKETS = 8;

/** What a limit becomes on a link of that MTU. @throws CniError 7 when the rate cannot carry a packet of the link */
export function shapeOf(limit: Limit, latencyMs: number, mtu: number): Bucket {
  const rate = Math.floor(limit.rate / 8);
  const packet = mtu + LONGEST_HEADER_BYTES;
  const least = ticksFor(packet, rate);
  if (least > LARGEST_TICKS) throw tooSlow(limit, packet);
  if (limit.burst === undefined) {
    const burst = Math.max(Math.floor((rate * DEFAULT_BURST_MS) / 1000), packet);
    const waiting = Math.max((rate * latencyMs) / 1000, WAITING_PACKETS * packet);
    const bufferTicks = Math.max(ticksFor(burst, rate), least);
    return { rate, bufferTicks, limit: clamp(Math.floor(waiting) + burst) };
  }
  const literal = literalShape(limit.rate, limit.burst, latencyMs);
  return bytesIn(literal.bufferTicks, rate) < mtu + HEADER_BYTES ? raised(literal, packet, least) : literal;
}

/** The bucket with room for a packet at least: one that does not fit it would never pass. */
function raised(bucket: Bucket, packet: number, least: number): Bucket {
  const { rate, bufferTicks, limit } = bucket;
  return { rate, bufferTicks: Math.max(bufferTicks, least), limit: clamp(Math.max(limit, 2 * packet)) };
}

/** What the reference makes of a rate and a burst, whatever comes of it: bits a second, bits, milliseconds. */
export function literalShape(rateBits: number, burstBits: number, latencyMs: number): Bucket {
  const rate = Math.floor(rateBits / 8);
  const burst = Math.floor(burstBits / 8);
  const microseconds = Math.floor((burst * MICROSECONDS) / rate);
  const waiting = Math.floor((rate * latencyMs) / 1000);
  return { rate, bufferTicks: clamp(Math.floor(microseconds * TICKS_PER_MICROSECOND)), limit: clamp(waiting + burst) };
}

/** Every shape that CHECK takes for this limit: ours, and what the reference would have made where ours differs. */
export function acceptedShapes(limit: Limit, latencyMs: number, mtu: number): Bucket[] {
  const shapes = [shapeOf(limit, latencyMs, mtu)];
  const burst = limit.burst ?? limit.unlimitedBurst;
  if (burst !== undefined) shapes.push(literalShape(limit.rate, burst, latencyMs));
  return shapes;
}

/** Whether a burst that was said had to be made larger: nothing of a packet's size would have passed. */
export function isRaised(limit: Limit, latencyMs: number, mtu: number): boolean {
  if (limit.burst === undefined) return false;
  return shapeOf(limit, latencyMs, mtu).bufferTicks !== literalShape(limit.rate, limit.burst, latencyMs).bufferTicks;
}

/** Ticks that a bucket needs to hold so many bytes, and may be more than the kernel can be told. */
function ticksFor(bytes: number, rate: number): number {
  return Math.ceil((bytes * NANOSECONDS) / rate / NANOSECONDS_PER_TICK);
}

/** Bytes that a bucket holds. */
export function bytesIn(ticks: number, rate: number): number {
  return Math.floor((ticks * NANOSECONDS_PER_TICK * rate) / NANOSECONDS);
}

function clamp(value: number): number {
  return Math.min(value, LARGEST_U32);
}

function tooSlow(limit: Limit, packet: number): CniError {
  const longest = (LARGEST_TICKS * NANOSECONDS_PER_TICK) / NANOSECONDS;
  const slowest = 8 * Math.ceil(packet / longest);
  return new CniError(
    ErrorCode.InvalidConfig,
    `a rate of ${limit.rate} bits a second never carries a packet of ${packet} bytes`,
    `rates are bits a second: at least ${slowest} on this interface`,
  );
}

/** "10000000 bits/s, burst 25000 bytes, queue 56250 bytes", for messages. */
export function wordsFor(bucket: Bucket): string {
  const burst = bytesIn(bucket.bufferTicks, bucket.rate);
  return `${bucket.rate * 8} bits/s, burst ${burst} bytes, queue ${bucket.limit} bytes`;
}

export function sameBucket(a: Bucket, b: Bucket): boolean {
  return a.rate === b.rate && a.bufferTicks === b.bufferTicks && a.limit === b.limit;
}
