/**
 * The options of kinds of queues: tbf and htb, which limit a rate, and bfifo, which only waits. Rates are bytes a second; what the
 * kernel counts in time (buffers) is told in its ticks of 64 ns.
 * Source: linux/pkt_sched.h, net/sched/sch_tbf.c, sch_htb.c, sch_fifo.c, include/net/pkt_sched.h (PSCHED_SHIFT).
 */
import { raw, u32, u64 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";

/** What /proc/net/psched tells since Linux 2.6.31: PSCHED_SHIFT is 6. */
export const NANOSECONDS_PER_TICK = 64;
/** A buffer is a u32. */
export const LARGEST_TICKS = 0xffffffff;
const LARGEST_U32 = 0xffffffff;

/** TCA_TBF_* */
const tbfAttributes = attributes({
  parameters: attribute(1, raw),
  rate64: attribute(4, u64),
});

/** TCA_HTB_* */
const htbAttributes = attributes({
  parameters: attribute(1, raw),
  initial: attribute(2, raw),
  directQueueLength: attribute(5, u32),
  rate64: attribute(6, u64),
  ceiling64: attribute(7, u64),
});

/** A bucket that fills at a rate, and a queue for what finds it empty. */
export interface Bucket {
  /** Bytes a second. */
  readonly rate: number;
  /** How long the bucket takes to fill. */
  readonly bufferTicks: number;
  /** Bytes that may wait; what comes then is dropped. */
  readonly limit: number;
}

/** struct tc_ratespec without anything but the rate; one beyond 32 bits is told by an attribute besides. */
function writeRate(out: Writer, rate: number): void {
  out.u8(0).u8(0).u16(0).u16(0).u16(0).u32(Math.min(rate, LARGEST_U32));
}

function beyond32Bits(rate: number): number | undefined {
  return rate > LARGEST_U32 ? rate : undefined;
}

/** Options of kind `tbf`: struct tc_tbf_qopt, without a peak rate. */
export function tbfOptions(bucket: Bucket): Uint8Array {
  const out = new Writer();
  writeRate(out, bucket.rate);
  writeRate(out, 0);
  out.u32(bucket.limit).u32(bucket.bufferTicks).u32(0);
  return new Attributes()
    .set(tbfAttributes.parameters, out.done())
    .set(tbfAttributes.rate64, beyond32Bits(bucket.rate))
    .encode();
}

/** @throws DecodeError; RangeError when the parameters are cut */
export function decodeTbf(options: Uint8Array): Bucket {
  const found = Attributes.decode(options, "tbf");
  const parameters = viewOf(found.get(tbfAttributes.parameters) ?? new Uint8Array(0));
  return {
    rate: found.get(tbfAttributes.rate64) ?? parameters.getUint32(8, true),
    limit: parameters.getUint32(24, true),
    bufferTicks: parameters.getUint32(28, true),
  };
}

/** struct tc_htb_glob: version, r2q */
const HTB_VERSION = 3;
const HTB_RATE_TO_QUANTUM = 10;
/** Without one the kernel derives it from the rate, and warns; a class that shares with nobody needs none. */
const HTB_QUANTUM = 60_000;
/** Packets to no class that may wait. The kernel's own choice is the link's queue length, which many veths have as 0. */
const DIRECT_PACKETS = 1000;

/** Options of kind `htb` itself: packets that no filter gives to a class are not limited. */
export function htbOptions(): Uint8Array {
  const out = new Writer().u32(HTB_VERSION).u32(HTB_RATE_TO_QUANTUM).u32(0).u32(0).u32(0);
  return new Attributes()
    .set(htbAttributes.initial, out.done())
    .set(htbAttributes.directQueueLength, DIRECT_PACKETS)
    .encode();
}

/** Options of a class of kind `htb` that lends and borrows nothing; where its packets wait is a queue of its own. */
export function htbClassOptions(rate: number, bufferTicks: number): Uint8Array {
  const out = new Writer();
  writeRate(out, rate);
  writeRate(out, rate);
  out.u32(bufferTicks).u32(bufferTicks).u32(HTB_QUANTUM).u32(0).u32(0);
  return new Attributes()
    .set(htbAttributes.parameters, out.done())
    .set(htbAttributes.rate64, beyond32Bits(rate))
    .set(htbAttributes.ceiling64, beyond32Bits(rate))
    .encode();
}

/** A class of an htb, and the queue below it. @throws DecodeError; RangeError */
export function decodeHtbClass(classOptions: Uint8Array, limit: number): Bucket {
  const found = Attributes.decode(classOptions, "htb class");
  const parameters = viewOf(found.get(htbAttributes.parameters) ?? new Uint8Array(0));
  return {
    rate: found.get(htbAttributes.rate64) ?? parameters.getUint32(8, true),
    bufferTicks: parameters.getUint32(24, true),
    limit,
  };
}

/** Options of kind `bfifo`: bytes that may wait. */
export function fifoOptions(limit: number): Uint8Array {
  return new Writer().u32(limit).done();
}

/** @throws RangeError */
export function decodeFifo(options: Uint8Array): number {
  return viewOf(options).getUint32(0, true);
}
