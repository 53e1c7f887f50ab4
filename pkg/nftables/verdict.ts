/** Verdicts: what becomes of a packet, in rules and as what verdict maps hold. Source: enum nft_verdicts, linux/netfilter.h. */

/** `chain` is the target of jump and goto, and `undefined` for the others. */
export interface Verdict {
  readonly kind: "accept" | "drop" | "return" | "jump" | "goto";
  readonly chain: string | undefined;
}

export function verdictText(verdict: Verdict): string {
  return verdict.chain === undefined ? verdict.kind : `${verdict.kind} ${verdict.chain}`;
}

/** NF_* and NFT_*, signed. */
export function verdictCode(verdict: Verdict): number {
  switch (verdict.kind) {
    case "drop":
      return 0;
    case "accept":
      return 1;
    case "jump":
      return -3;
    case "goto":
      return -4;
    case "return":
      return -5;
  }
}

const kinds = ["accept", "drop", "return", "jump", "goto"] as const;

/** The verdict of a code as the kernel sends it, unsigned; `undefined` for one of no kind above. */
export function verdictOf(code: number, chain: string | undefined): Verdict | undefined {
  for (const kind of kinds) if (verdictCode({ kind, chain }) === (code | 0)) return { kind, chain };
  return undefined;
}
