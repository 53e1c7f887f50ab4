/** What a rule in the kernel compares with and loads: enough to know a rule of others again whose shape is known. */
import { Attributes } from "../netlink/attributes.ts";
import { compareAttributes, immediateAttributes } from "./expression.ts";
import { dataAttributes, expressionAttributes, listAttributes } from "./messages.ts";
import type { ListedRule } from "./ruleset.ts";

export interface RuleValues {
  readonly compared: readonly Uint8Array[];
  readonly loaded: readonly Uint8Array[];
}

/** The values as they lie in registers, each kind in the rule's order; verdicts are none. @throws DecodeError */
export function ruleValues(rule: ListedRule): RuleValues {
  const compared: Uint8Array[] = [];
  const loaded: Uint8Array[] = [];
  for (const each of Attributes.decode(rule.expressions, "rule").all(listAttributes.element)) {
    const name = each.get(expressionAttributes.name);
    const data = each.get(expressionAttributes.data);
    if (name === "cmp") keep(compared, data?.get(compareAttributes.value));
    if (name === "immediate") keep(loaded, data?.get(immediateAttributes.value));
  }
  return { compared, loaded };
}

function keep(values: Uint8Array[], data: Attributes | undefined): void {
  const bytes = data?.get(dataAttributes.value);
  if (bytes !== undefined) values.push(bytes);
}
