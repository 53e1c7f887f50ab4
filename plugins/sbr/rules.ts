/** sbr's policy rules: `from ADDRESS lookup TABLE`, and whose they are. */

import type { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { isReservedTable } from "../../pkg/link/routing-table.ts";
import { addRule, deleteRule, listRules, type Rule } from "../../pkg/netlink/rule.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Undo } from "../../pkg/skel/undo.ts";

/**
 * Who made a rule or a route (RTPROT_*): the project's number, which neither linux/rtnetlink.h nor iproute2's rt_protos has given to
 * anybody.
 */
export const sbrProtocol = 70;

/** A rule for one address alone; the reference's are the same, but for the protocol. */
export interface SourceRule {
  readonly address: Address;
  readonly table: number;
  readonly rule: Rule;
}

/** The rules that lead one address to a table. @throws KernelError */
export function listSourceRules(stack: NetworkStack): SourceRule[] {
  const found: SourceRule[] = [];
  for (const rule of listRules(stack)) {
    const { source, table } = rule;
    if (source === undefined || source.length !== source.address.bits || isReservedTable(table)) continue;
    if (rule.destination !== undefined || rule.mark !== undefined || rule.inverted) continue;
    if (rule.inputName === "" && rule.outputName === "") found.push({ address: source.address, table, rule });
  }
  return found;
}

/** Whether the rule leads that address to that table. */
export function isSameWay(each: SourceRule, address: Address, table: number): boolean {
  return each.table === table && each.address.equals(address);
}

/**
 * Leads the address to the table by a rule of our own, be there one of others or not: it is what DEL goes by. Its place among the
 * rules is the kernel's choice. Idempotent. @throws KernelError
 */
export function ensureSourceRule(
  stack: NetworkStack,
  have: readonly SourceRule[],
  address: Address,
  table: number,
  undo: Undo,
): void {
  if (have.some((each) => each.rule.protocol === sbrProtocol && isSameWay(each, address, table))) return;
  const source = Prefix.host(address);
  const spec = { family: address.family, table, source, protocol: sbrProtocol };
  undo.push(`delete the rule from ${address.toString()}`, () => {
    deleteRule(stack, spec);
  });
  addRule(stack, spec);
}

/** @throws KernelError */
export function deleteSourceRule(stack: NetworkStack, { rule }: SourceRule): void {
  const { family, table, priority, source } = rule;
  deleteRule(stack, { family, table, priority, source, protocol: rule.protocol === 0 ? undefined : rule.protocol });
}
