/** Statements: expressions that decide about a packet or change what the kernel keeps with it. NAT is in nat.ts. */
import type { Attributes } from "../netlink/attributes.ts";
import { hex32, hostU32 } from "./datum.ts";
import {
  type Expression,
  expression,
  FIRST_REGISTER,
  metaKey,
  putBitwise,
  putImmediate,
  putMapLookup,
  putMeta,
  putMetaSet,
  putVerdict,
} from "./expression.ts";
import { keyNeeds, keyText, loadKey } from "./match.ts";
import type { Selector } from "./selector.ts";
import { type Verdict, verdictCode, verdictText } from "./verdict.ts";

/** Ends the rule with a verdict: `accept`, `jump chain`. */
function decide(verdict: Verdict): Expression {
  return expression(verdictText(verdict), (out: Attributes): void => {
    putVerdict(out, verdictCode(verdict), verdict.chain);
  });
}

export function accept(): Expression {
  return decide({ kind: "accept", chain: undefined });
}
export function drop(): Expression {
  return decide({ kind: "drop", chain: undefined });
}
/** Goes back to the chain that jumped here; in a base chain, its policy decides. */
export function returnToCaller(): Expression {
  return decide({ kind: "return", chain: undefined });
}
/** Goes through another chain and comes back. */
export function jump(chain: string): Expression {
  return decide({ kind: "jump", chain });
}

/** Does what the map holds for the key; goes on when it holds nothing: `iifname vmap @ports`. */
export function decideByMap(key: readonly Selector[], map: string): Expression {
  return {
    text: `${keyText(key)} vmap @${map}`,
    needs: keyNeeds(key),
    states: undefined,
    encode: (out: Attributes): void => {
      loadKey(out, key);
      putMapLookup(out, map, 0);
    },
  };
}

/** Sets the mark's bits under the mask and keeps the others: `meta mark set meta mark | 0x00002000`. */
export function setMark(bits: number, mask = 0xffffffff): Expression {
  return expression(`meta mark set ${newMarkText(bits, mask)}`, (out: Attributes): void => {
    if (mask >>> 0 === 0xffffffff) {
      putImmediate(out, FIRST_REGISTER, hostU32(bits));
    } else {
      putMeta(out, FIRST_REGISTER, metaKey.mark);
      putBitwise(out, FIRST_REGISTER, hostU32(~mask), hostU32(bits));
    }
    putMetaSet(out, FIRST_REGISTER, metaKey.mark);
  });
}

function newMarkText(bits: number, mask: number): string {
  if (mask >>> 0 === 0xffffffff) return hex32(bits);
  if (bits === mask) return `meta mark | ${hex32(bits)}`;
  if (bits === 0) return `meta mark & ${hex32(~mask)}`;
  return `meta mark & ${hex32(~mask | bits)} | ${hex32(bits)}`;
}
