/** What is measured: a case is prepared once for each suite and gives, in each round, a timing for each of its rows. */
import type { BenchNode, Tools } from "./bench-node.ts";
import type { Timing } from "./timed-process.ts";

/** What a row promises (docs/performance.md). Ratios are of medians. */
export interface Budget {
  /** At most this part of the reference's wall time. */
  readonly wall?: number;
  /** At most this part of the reference's CPU time. */
  readonly cpu?: number;
  /**
   * At most `times` the CPU time that the same suite has in row `row`: that row is measured minutes before, and what else the
   * machine does then and now is in the wall time.
   */
  readonly flat?: { readonly row: string; readonly times: number };
}

export interface Row {
  readonly title: string;
  readonly budget: Budget;
}

/** A case on one suite's node. Each round gives as many timings as the case has rows. */
export interface Course {
  readonly round: () => Promise<readonly Timing[]>;
}

export interface Case {
  readonly title: string;
  readonly rows: readonly Row[];
  /** What the suite must have. */
  readonly plugins: readonly string[];
  /**
   * Where the reference finds iptables 1.8.9 its DEL of a network masqueraded by nft fails on chains that only its other backend
   * makes; its firewall needs iptables.
   */
  readonly tools: Tools;
  /** Fills large tables first: left out by --quick, and measured in fewer rounds. */
  readonly heavy: boolean;
  readonly prepare: (node: BenchNode) => Promise<Course>;
}
