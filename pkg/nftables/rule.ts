/** Rules: expressions in a row, and a comment. Used by transaction.ts; texts are what goldens compare. */
import { Attributes } from "../netlink/attributes.ts";
import { type Expression, type Need, putNeed } from "./expression.ts";
import type { TableFamily } from "./table.ts";

/** One rule. `text` is what `nft list ruleset` prints for it. */
export interface Rule {
  readonly text: string;
  readonly expressions: readonly Expression[];
  readonly comment: string | undefined;
}

/** A rule of these expressions, applied left to right. A comment has at most 253 bytes; nft cannot read back `"` in it. */
export function rule(expressions: readonly Expression[], comment?: string): Rule {
  const texts = expressions.map((part: Expression): string => part.text);
  if (comment !== undefined) texts.push(`comment "${comment}"`);
  return { text: texts.join(" "), expressions, comment };
}

/** The kernel's expressions: the rule's own, and before each what it needs and no earlier one has established. */
export function encodeExpressions(source: Rule, family: TableFamily): Attributes {
  const out = new Attributes();
  const known: Need[] = [];
  for (const part of source.expressions) {
    for (const need of part.needs) {
      if (known.includes(need)) continue;
      putNeed(out, need, family);
      known.push(need);
    }
    part.encode(out);
    if (part.states !== undefined) known.push(part.states);
  }
  return out;
}
