/** bandwidth's configuration: how much a second, in which direction, and which traffic is meant. */
import type { Prefix } from "../../pkg/ip/prefix.ts";
import { prefixFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";

/** What one direction is held to, as it was said. */
export interface Limit {
  /** Bits a second; at least 8. */
  readonly rate: number;
  /** Bits that may pass at once; `undefined` when nobody has said. */
  readonly burst: number | undefined;
  /** Bits that the runtime has said for want of a burst: what the reference takes literally. */
  readonly unlimitedBurst: number | undefined;
}

/** Which traffic the limits are for, by the address at the other end. */
export interface Scope {
  /** Traffic with these is limited, and no other. Empty: see `unshaped`. */
  readonly shaped: readonly Prefix[];
  /** Traffic with these is not limited, and all other is. */
  readonly unshaped: readonly Prefix[];
}

export interface BandwidthConfig {
  /** To the container. */
  readonly ingress: Limit | undefined;
  /** From the container. */
  readonly egress: Limit | undefined;
  readonly scope: Scope;
  /** How long packets may wait for their turn, beyond what the burst lets through. */
  readonly latencyMs: number;
}

/** Numbers of JSON are exact up to here. */
const LARGEST_RATE = Number.MAX_SAFE_INTEGER;
/** 4 GiB, in bits. */
const LARGEST_BURST = 34_359_738_368;
/** One byte a second. */
const SMALLEST_RATE = 8;
/**
 * Runtimes that know a rate alone pass the largest burst they can think of, for the reference demands one: 2³¹−1 bits (dockershim),
 * 2³²−1 (containerd), 8·(2³²−1) (CRI-O). Taken literally, hundreds of megabytes pass before the limit is felt (plugins#609).
 */
const NO_BURST_FROM = 2_147_483_647;
export const DEFAULT_LATENCY_MS = 25;
const LARGEST_LATENCY_MS = 10_000;

/** The four keys that say how much, from one place. */
interface Rates {
  readonly said: boolean;
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

interface Place {
  readonly rates: Rates;
  readonly scope: Scope;
}

export const config = (keys: Keys): BandwidthConfig => {
  const own = readPlace(keys);
  const runtime = keys.members("runtimeConfig", readRuntime, "what the runtime adds for declared capabilities");
  const rates = own.rates.said ? own.rates : runtime.rates;
  const fromRuntime = !own.rates.said;
  return {
    ingress: limitOf(rates.ingressRate, rates.ingressBurst, fromRuntime),
    egress: limitOf(rates.egressRate, rates.egressBurst, fromRuntime),
    scope: isEmpty(own.scope) ? runtime.scope : own.scope,
    latencyMs: keys.integer(
      "latency",
      DEFAULT_LATENCY_MS,
      "milliseconds that packets may wait for their turn, beyond what the burst lets through",
      1,
      LARGEST_LATENCY_MS,
    ),
  };
};

function readRuntime(keys: Keys): Place {
  return keys.members("bandwidth", readPlace, "the same for one container (capability bandwidth)");
}

function readPlace(keys: Keys): Place {
  const rates: Rates = {
    ingressRate: readRate(keys, "ingressRate", "bits a second to the container; 0 is no limit"),
    ingressBurst: readBurst(
      keys,
      "ingressBurst",
      "bits to the container that may pass at once; unset: 20 ms of the rate",
    ),
    egressRate: readRate(keys, "egressRate", "bits a second from the container; 0 is no limit"),
    egressBurst: readBurst(
      keys,
      "egressBurst",
      "bits from the container that may pass at once; unset: 20 ms of the rate",
    ),
    said: keys.has("ingressRate") || keys.has("ingressBurst") || keys.has("egressRate") || keys.has("egressBurst"),
  };
  requireRate(keys, "ingress", rates.ingressRate, rates.ingressBurst);
  requireRate(keys, "egress", rates.egressRate, rates.egressBurst);
  const scope: Scope = {
    shaped: keys.formatted("shapedSubnets", prefixFormat, "only traffic to and from these addresses is limited"),
    unshaped: keys.formatted("unshapedSubnets", prefixFormat, "traffic to and from these addresses is not limited"),
  };
  if (scope.shaped.length > 0 && scope.unshaped.length > 0) {
    keys.refuse(
      "unshapedSubnets and shapedSubnets cannot be both specified",
      "",
      "shapedSubnets limits nothing else, unshapedSubnets everything else: leave one out",
    );
  }
  return { rates, scope };
}

/** One below a byte a second would be a limit of nothing at all. */
function readRate(keys: Keys, name: string, meaning: string): number {
  const rate = keys.integer(name, 0, meaning, 0, LARGEST_RATE);
  if (rate >= SMALLEST_RATE || rate === 0) return rate;
  keys.refuse(`${rate} is less than a byte a second`, name, "rates are bits a second: at least 8, or 0 for no limit");
  return 0;
}

function readBurst(keys: Keys, name: string, meaning: string): number {
  const burst = keys.integer(name, 0, meaning, 0, LARGEST_RATE);
  if (burst <= LARGEST_BURST) return burst;
  keys.refuse(`burst cannot be more than 4GB: ${burst} bits`, name, "leave it out: 20 ms of the rate are a good burst");
  return 0;
}

function requireRate(keys: Keys, direction: string, rate: number, burst: number): void {
  if (rate !== 0 || burst === 0) return;
  keys.refuse("if burst is set, rate must also be set", `${direction}Burst`, `set ${direction}Rate, bits a second`);
}

function limitOf(rate: number, burst: number, fromRuntime: boolean): Limit | undefined {
  if (rate < SMALLEST_RATE) return undefined;
  if (burst === 0) return { rate, burst: undefined, unlimitedBurst: undefined };
  if (fromRuntime && burst >= NO_BURST_FROM) return { rate, burst: undefined, unlimitedBurst: burst };
  return { rate, burst, unlimitedBurst: undefined };
}

function isEmpty(scope: Scope): boolean {
  return scope.shaped.length === 0 && scope.unshaped.length === 0;
}
