/** Statements: expressions that decide about a packet or change what the kernel keeps with it. NAT is in nat.ts. */
import { u8, u32be } from "../codec/codec.ts";
import { Attributes, attribute, attributes } from "../netlink/attributes.ts";
import { hex32, hostU32 } from "./datum.ts";
import {
  type Expression,
  expression,
  FIRST_REGISTER,
  metaKey,
  put,
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
export function decide(verdict: Verdict): Expression {
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
/** Goes to another chain for good. */
export function goto(chain: string): Expression {
  return decide({ kind: "goto", chain });
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

/** Counts packets and bytes from zero. */
export function counter(): Expression {
  return expression("counter packets 0 bytes 0", (out: Attributes): void => put(out, "counter", new Attributes()));
}

const rejectAttributes = attributes({
  type: attribute(1, u32be), // NFT_REJECT_*
  code: attribute(2, u8), // NFT_REJECT_ICMPX_*
});

/** How a refused sender is told. */
export type RejectReason = "port-unreachable" | "no-route" | "host-unreachable" | "admin-prohibited" | "tcp reset";

const REJECT_TCP_RESET = 1;
const REJECT_ICMPX = 2;

/** Drops the packet and tells its sender; `tcp reset` fits only where the rule has matched TCP. */
export function reject(reason: RejectReason = "port-unreachable"): Expression {
  return {
    text: rejectText(reason),
    needs: reason === "tcp reset" ? ["tcp"] : [],
    states: undefined,
    encode: (out: Attributes): void => {
      const data = new Attributes().set(
        rejectAttributes.type,
        reason === "tcp reset" ? REJECT_TCP_RESET : REJECT_ICMPX,
      );
      put(out, "reject", data.set(rejectAttributes.code, rejectCode(reason)));
    },
  };
}

function rejectText(reason: RejectReason): string {
  if (reason === "port-unreachable") return "reject";
  return reason === "tcp reset" ? "reject with tcp reset" : `reject with icmpx ${reason}`;
}

function rejectCode(reason: RejectReason): number {
  switch (reason) {
    case "tcp reset":
    case "no-route":
      return 0;
    case "port-unreachable":
      return 1;
    case "host-unreachable":
      return 2;
    case "admin-prohibited":
      return 3;
  }
}
