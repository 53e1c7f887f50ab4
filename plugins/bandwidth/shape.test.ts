import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LARGEST_TICKS, NANOSECONDS_PER_TICK } from "../../pkg/netlink/qdisc-options.ts";
import type { Limit } from "./config.ts";
import { acceptedShapes, bytesIn, isRaised, literalShape, shapeOf } from "./shape.ts";

const said = (rate: number, burst: number): Limit => ({ rate, burst, unlimitedBurst: undefined });
const unsaid = (rate: number): Limit => ({ rate, burst: undefined, unlimitedBurst: undefined });
const MTU = 1500;
const PACKET = 1522;

describe("a burst that is said", () => {
  // By hand; that the reference makes the same is seen in test/interop/bandwidth.test.ts.
  test.each([
    { rate: 10_000_000, burst: 1_000_000, shape: { rate: 1_250_000, bufferTicks: 1_562_500, limit: 156_250 } },
    { rate: 8_000_000, burst: 12_800, shape: { rate: 1_000_000, bufferTicks: 25_000, limit: 26_600 } },
    { rate: 3_000_000, burst: 100_000, shape: { rate: 375_000, bufferTicks: 520_828, limit: 21_875 } },
  ])("of $burst bits at $rate bits a second is the reference's", ({ rate, burst, shape }) => {
    expect(shapeOf(said(rate, burst), 25, MTU)).toEqual(shape);
  });

  test("of less than a packet is made one packet large, so that not everything is dropped", () => {
    const limit = said(10_000_000, 8000);
    expect(isRaised(limit, 25, MTU)).toBe(true);
    expect(isRaised(said(10_000_000, 8 * PACKET), 25, MTU)).toBe(false);
    const { bufferTicks, limit: queue, rate } = shapeOf(limit, 25, MTU);
    expect(bytesIn(bufferTicks, rate)).toBeGreaterThanOrEqual(PACKET);
    expect(queue).toBeGreaterThanOrEqual(PACKET);
  });

  test("of 4 GiB is the most that the kernel can be told", () => {
    expect(shapeOf(said(80_000_000_000, 34_359_738_368), 25, MTU)).toMatchObject({ limit: 0xffffffff });
    expect(shapeOf(said(1_000_000, 34_359_738_368), 25, MTU)).toMatchObject({ bufferTicks: LARGEST_TICKS });
  });
});

describe("a burst that nobody said", () => {
  test("is 20 ms of the rate", () => {
    const { rate, bufferTicks, limit } = shapeOf(unsaid(10_000_000), 25, MTU);
    expect(rate).toBe(1_250_000);
    expect((bufferTicks * NANOSECONDS_PER_TICK) / 1e6).toBeCloseTo(20, 2);
    expect(limit).toBe(31_250 + 25_000);
  });

  test("is one packet where that is more", () => {
    const { rate, bufferTicks } = shapeOf(unsaid(64_000), 25, MTU);
    expect(bytesIn(bufferTicks, rate)).toBe(PACKET);
  });
});

test("a runtime's stand-in for no burst is taken for none, and what the reference makes of it passes CHECK", () => {
  const limit: Limit = { rate: 10_000_000, burst: undefined, unlimitedBurst: 2_147_483_647 };
  expect(acceptedShapes(limit, 25, MTU)).toEqual([
    shapeOf(unsaid(10_000_000), 25, MTU),
    literalShape(10_000_000, 2_147_483_647, 25),
  ]);
});

test("a rate that never carries a packet is refused, with the least that does", () => {
  expect(() => shapeOf(unsaid(8), 25, MTU)).toThrow("a rate of 8 bits a second never carries a packet of 1522 bytes");
  expect(() => shapeOf(unsaid(48), 25, MTU)).not.toThrow();
  expect(() => shapeOf(said(8, 100_000), 25, MTU)).toThrow();
});

const rates = fc.integer({ min: 48, max: Number.MAX_SAFE_INTEGER });
const bursts = fc.integer({ min: 1, max: 34_359_738_368 });
const latencies = fc.integer({ min: 1, max: 10_000 });
const mtus = fc.integer({ min: 68, max: 1500 });

test("whatever is said: the numbers fit the kernel's, and a packet fits bucket and queue", () => {
  fc.assert(
    fc.property(rates, fc.option(bursts, { nil: undefined }), latencies, mtus, (rate, burst, latency, mtu) => {
      const shape = shapeOf({ rate, burst, unlimitedBurst: undefined }, latency, mtu);
      expect(shape.rate).toBe(Math.floor(rate / 8));
      for (const number of [shape.bufferTicks, shape.limit]) {
        expect(Number.isInteger(number)).toBe(true);
        expect(number).toBeGreaterThan(0);
        expect(number).toBeLessThanOrEqual(0xffffffff);
      }
      expect(bytesIn(shape.bufferTicks, shape.rate)).toBeGreaterThanOrEqual(mtu);
      expect(shape.limit).toBeGreaterThanOrEqual(mtu);
    }),
  );
});

test("whatever the rate: a burst that nobody said adds less than a twentieth to the first second, or a packet", () => {
  fc.assert(
    fc.property(rates, latencies, (rate, latency) => {
      const shape = shapeOf(unsaid(rate), latency, MTU);
      const burst = bytesIn(shape.bufferTicks, shape.rate);
      // One tick of very high rates is many bytes.
      const tick = bytesIn(1, shape.rate) + 1;
      expect(burst).toBeLessThanOrEqual(Math.max(shape.rate / 20, PACKET) + tick);
    }),
  );
});

test("a bucket holds what was said, to a microsecond of the rate", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000_000, max: 100_000_000_000 }), bursts, (rate, burst) => {
      const shape = literalShape(rate, burst, 25);
      fc.pre(shape.bufferTicks < LARGEST_TICKS);
      const wanted = Math.floor(burst / 8);
      const held = bytesIn(shape.bufferTicks, shape.rate);
      expect(held).toBeLessThanOrEqual(wanted);
      // A tick is cut off besides.
      expect(wanted - held).toBeLessThanOrEqual(shape.rate * 1.1e-6 + 2);
    }),
  );
});
