/** How often and how long an address is asked for before it is used. Pure. */

/** `off`; `fast`: for wired segments; `rfc5227`: as that RFC says, for any. */
export type Probing = "off" | "fast" | "rfc5227";

/** Milliseconds; where there is a range, each time is drawn from it. */
export interface ProbeTiming {
  /** Before the first probe. */
  readonly delayMs: readonly [least: number, most: number];
  readonly probes: number;
  /** Between probes. */
  readonly intervalMs: readonly [least: number, most: number];
  /** After the last one. */
  readonly answerMs: number;
}

/** RFC 5227 section 1.1: PROBE_WAIT, PROBE_NUM, PROBE_MIN and PROBE_MAX, ANNOUNCE_WAIT. */
const patient: ProbeTiming = { delayMs: [0, 1000], probes: 3, intervalMs: [1000, 2000], answerMs: 2000 };

/**
 * An answer on a wired segment takes well under a millisecond; what takes longer is a sleeping host, and that three probes get lost.
 * No delay: containers are not switched on all at once, as machines are after a power failure.
 */
const brief: ProbeTiming = { delayMs: [0, 0], probes: 3, intervalMs: [70, 70], answerMs: 100 };

/** `undefined`: nothing is asked. */
export function timingOf(probing: Probing): ProbeTiming | undefined {
  switch (probing) {
    case "off":
      return undefined;
    case "fast":
      return brief;
    case "rfc5227":
      return patient;
  }
}

/** A time of the range; `random` is a number of 32 bits. */
export function drawn(range: readonly [least: number, most: number], random: number): number {
  const [least, most] = range;
  return least + Math.floor((random / 4294967296) * (most - least + 1));
}
