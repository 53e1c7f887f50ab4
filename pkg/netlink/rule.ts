/** Policy rules: which routing table serves which packets. Source: linux/fib_rules.h. */
import { address, boolU8, cstring, u8, u32 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import type { Address, Family } from "../ip/address.ts";
import { Prefix } from "../ip/prefix.ts";
import { KernelError } from "../linux/errno.ts";
import { AF_UNSPEC } from "../linux/headers/socket.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import { familyNumber, familyOf } from "./family.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RT_TABLE_UNSPEC, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from "./headers/rtnetlink.ts";
import { type Message, messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** FR_ACT_TO_TBL */
const LOOK_UP_TABLE = 1;
/** FIB_RULE_INVERT */
const INVERTED = 2;
/** Bytes of struct fib_rule_hdr. */
const HEADER_BYTES = 12;

/** FRA_* */
const ruleAttributes = attributes({
  destination: attribute(1, address),
  source: attribute(2, address),
  inputName: attribute(3, cstring),
  priority: attribute(6, u32),
  mark: attribute(10, u32),
  table: attribute(15, u32),
  markMask: attribute(16, u32),
  outputName: attribute(17, cstring),
  masterTable: attribute(19, boolU8),
  protocol: attribute(21, u8),
});

/** A rule to be made. What is left out or `undefined` matches everything. */
export interface RuleSpec {
  readonly family: Family;
  readonly table: number;
  /** Lower is asked first; the kernel chooses when it is left out. */
  readonly priority?: number | undefined;
  readonly source?: Prefix | undefined;
  readonly destination?: Prefix | undefined;
  readonly inputName?: string | undefined;
  readonly outputName?: string | undefined;
  readonly mark?: number | undefined;
  readonly markMask?: number | undefined;
  /** RTPROT_*: who made it; linux 4.17. */
  readonly protocol?: number | undefined;
  /** Instead of `table`, which is 0 then: the table of the VRF that the packet belongs to. */
  readonly masterTable?: boolean | undefined;
}

/** A rule that the kernel has. */
export interface Rule {
  readonly family: Family;
  /** 0 when the rule does something else than name a table. */
  readonly table: number;
  readonly priority: number;
  readonly source: Prefix | undefined;
  readonly destination: Prefix | undefined;
  /** Empty: any. */
  readonly inputName: string;
  readonly outputName: string;
  readonly mark: number | undefined;
  readonly markMask: number | undefined;
  /** RTPROT_*; 0 when nobody said. */
  readonly protocol: number;
  /** It names the table of the VRF that the packet belongs to. */
  readonly masterTable: boolean;
  /** Packets that do not match. */
  readonly inverted: boolean;
  /** FR_ACT_* */
  readonly action: number;
}

/** The rules of one family or of both, in the order they are asked. @throws KernelError */
export function listRules(stack: NetworkStack, family?: Family): Rule[] {
  const number = family === undefined ? AF_UNSPEC : familyNumber(family);
  const rules: Rule[] = [];
  const body = messageBody(new Writer().u8(number).u8(0).u16(0).u32(0).u32(0), new Attributes());
  for (const message of stack.route.dump("list policy rules", RTM_GETRULE, body)) {
    const rule = decodeRule(message);
    if (rule !== undefined && (family === undefined || rule.family === family)) rules.push(rule);
  }
  return rules;
}

/** Adds a rule. @throws KernelError; EEXIST when there is an equal one */
export function addRule(stack: NetworkStack, rule: RuleSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  stack.route.request(`add policy rule for table ${rule.table}`, RTM_NEWRULE, flags, encodeRule(rule));
}

/** Deletes the first rule that has all that is given; whether there was one. @throws KernelError */
export function deleteRule(stack: NetworkStack, rule: RuleSpec): boolean {
  try {
    stack.route.request(`delete policy rule for table ${rule.table}`, RTM_DELRULE, 0, encodeRule(rule));
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return false;
    throw error;
  }
}

/** The message of both: struct fib_rule_hdr, then attributes. */
export function encodeRule(rule: RuleSpec): Uint8Array {
  const { family, table, source, destination } = rule;
  const header = new Writer()
    .u8(familyNumber(family))
    .u8(destination?.length ?? 0)
    .u8(source?.length ?? 0)
    .u8(0);
  header
    .u8(table > 255 ? RT_TABLE_UNSPEC : table)
    .u8(0)
    .u8(0)
    .u8(LOOK_UP_TABLE)
    .u32(0);
  const content = new Attributes()
    .set(ruleAttributes.destination, destination?.network)
    .set(ruleAttributes.source, source?.network)
    .set(ruleAttributes.inputName, rule.inputName)
    .set(ruleAttributes.outputName, rule.outputName)
    .set(ruleAttributes.priority, rule.priority)
    .set(ruleAttributes.mark, rule.mark)
    .set(ruleAttributes.markMask, rule.markMask)
    .set(ruleAttributes.table, table > 255 ? table : undefined)
    .set(ruleAttributes.masterTable, rule.masterTable)
    .set(ruleAttributes.protocol, rule.protocol);
  return messageBody(header, content);
}

/** `undefined` for other messages and families. @throws DecodeError; RangeError */
export function decodeRule(message: Message): Rule | undefined {
  if (message.type !== RTM_NEWRULE) return undefined;
  const view = viewOf(message.body);
  const family = familyOf(view.getUint8(0));
  if (family === undefined) return undefined;
  const found = Attributes.decode(message.body.subarray(HEADER_BYTES), "rule");
  return {
    family,
    table: found.get(ruleAttributes.table) ?? view.getUint8(4),
    priority: found.get(ruleAttributes.priority) ?? 0,
    source: prefixOf(found.get(ruleAttributes.source), view.getUint8(2)),
    destination: prefixOf(found.get(ruleAttributes.destination), view.getUint8(1)),
    inputName: found.get(ruleAttributes.inputName) ?? "",
    outputName: found.get(ruleAttributes.outputName) ?? "",
    mark: found.get(ruleAttributes.mark),
    markMask: found.get(ruleAttributes.markMask),
    protocol: found.get(ruleAttributes.protocol) ?? 0,
    masterTable: found.get(ruleAttributes.masterTable) ?? false,
    inverted: (view.getUint32(8, true) & INVERTED) !== 0,
    action: view.getUint8(7),
  };
}

function prefixOf(address: Address | undefined, length: number): Prefix | undefined {
  return address === undefined ? undefined : new Prefix(address, length);
}
