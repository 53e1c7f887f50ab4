/**
 * Transactions: changes to the ruleset that the kernel applies all together or not at all.
 * Used by whoever changes rules. Source: linux/netfilter/nfnetlink.h (batches), linux/netfilter/nf_tables.h.
 */
import { u32be } from "../codec/codec.ts";
import { Attributes, attribute, attributes } from "../netlink/attributes.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from "../netlink/headers/netlink.ts";
import { netfilterMessage, subsystem } from "../netlink/netfilter.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { type Chain, chainPath, encodeChain } from "./chain.ts";
import { appendElement, appendKey, type Element, elementText } from "./element.ts";
import {
  chainAttributes,
  elementListAttributes,
  nftMessage,
  ruleAttributes,
  setAttributes,
  tableAttributes,
} from "./messages.ts";
import { encodeExpressions, type Rule } from "./rule.ts";
import { encodeSet, type NftSet, setPath } from "./set.ts";
import { familyNumber, type Table, tableText } from "./table.ts";
import { Userdata } from "./userdata.ts";

/** An attribute's length is 16 bits; element lists are cut well below. */
const MAX_LIST_BYTES = 32 * 1024;

/** NFNL_BATCH_* */
const batchAttributes = attributes({ generation: attribute(1, u32be) });

/** One message, and what it does in nft's words. */
interface Step {
  readonly operation: string;
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** Collects changes and commits them. Nothing reaches the kernel before `commit`. */
export class Transaction {
  private readonly steps: Step[] = [];
  private setIds = 0;

  /** Whether there is nothing to commit. */
  get isEmpty(): boolean {
    return this.steps.length === 0;
  }

  /** Every change in nft's words, in order. */
  get text(): string {
    return this.steps.map((step: Step): string => `${step.operation}\n`).join("");
  }

  private step(operation: string, type: number, flags: number, table: Table, content: Attributes): this {
    this.steps.push({ operation, type, flags, body: netfilterMessage(familyNumber(table.family), content) });
    return this;
  }

  /** Makes the table; nothing happens if it is there. */
  addTable(table: Table, comment?: string): this {
    const content = new Attributes()
      .set(tableAttributes.name, table.name)
      .set(tableAttributes.flags, 0)
      .set(tableAttributes.userdata, new Userdata().comment(comment).done());
    return this.step(`add table ${tableText(table)}`, nftMessage.newTable, NLM_F_CREATE, table, content);
  }

  /** Removes the table and all in it. ENOENT when it is absent: add it first to be sure. */
  deleteTable(table: Table): this {
    const content = new Attributes().set(tableAttributes.name, table.name);
    return this.step(`delete table ${tableText(table)}`, nftMessage.deleteTable, 0, table, content);
  }

  /** Makes the chain; nothing happens if it is there with the same base. */
  addChain(table: Table, chain: Chain): this {
    const operation = `add ${chainPath(table, chain.name)}`;
    return this.step(operation, nftMessage.newChain, NLM_F_CREATE, table, encodeChain(table, chain));
  }

  /** Removes the chain. EBUSY when a rule still jumps to it, ENOENT when it is absent. Its own rules go with it. */
  deleteChain(table: Table, chain: string): this {
    const content = new Attributes().set(chainAttributes.table, table.name).set(chainAttributes.name, chain);
    return this.step(`delete ${chainPath(table, chain)}`, nftMessage.deleteChain, 0, table, content);
  }

  /** Removes the chain's rules, or with no chain those of the whole table. ENOENT when it is absent. */
  flush(table: Table, chain?: string): this {
    const operation = chain === undefined ? `flush table ${tableText(table)}` : `flush ${chainPath(table, chain)}`;
    const content = new Attributes().set(ruleAttributes.table, table.name).set(ruleAttributes.chain, chain);
    return this.step(operation, nftMessage.deleteRule, 0, table, content);
  }

  /** Puts the rule behind the chain's others. Adding twice makes two rules. */
  addRule(table: Table, chain: string, rule: Rule): this {
    const content = new Attributes()
      .set(ruleAttributes.table, table.name)
      .set(ruleAttributes.chain, chain)
      .set(ruleAttributes.expressions, encodeExpressions(rule, table.family))
      .set(ruleAttributes.userdata, new Userdata().comment(rule.comment).done());
    const operation = `add rule ${tableText(table)} ${chain} ${rule.text}`;
    return this.step(operation, nftMessage.newRule, NLM_F_CREATE | NLM_F_APPEND, table, content);
  }

  /** Removes one rule by its handle. ENOENT when it is absent. */
  deleteRule(table: Table, chain: string, handle: number): this {
    const content = new Attributes()
      .set(ruleAttributes.table, table.name)
      .set(ruleAttributes.chain, chain)
      .set(ruleAttributes.handle, handle);
    const operation = `delete rule ${tableText(table)} ${chain} handle ${handle}`;
    return this.step(operation, nftMessage.deleteRule, 0, table, content);
  }

  /** Makes the set or map; nothing happens if it is there and alike. */
  addSet(table: Table, set: NftSet): this {
    this.setIds += 1;
    const operation = `add ${setPath(table, set.name)}`;
    return this.step(operation, nftMessage.newSet, NLM_F_CREATE, table, encodeSet(table, set, this.setIds));
  }

  /** Removes the set and its elements. EBUSY when a rule still uses it, ENOENT when it is absent. */
  deleteSet(table: Table, set: string): this {
    const content = new Attributes().set(setAttributes.table, table.name).set(setAttributes.name, set);
    return this.step(`delete ${setPath(table, set)}`, nftMessage.deleteSet, 0, table, content);
  }

  /**
   * Adds elements. A key that is there already is left alone, with its old comment; in a map that holds other data
   * for the key it is an error. ENOENT when the set is absent.
   */
  addElements(table: Table, set: string, elements: readonly Element[]): this {
    let list = new Attributes();
    let texts: string[] = [];
    const flush = (): void => {
      const operation = `add element ${tableText(table)} ${set} { ${texts.join(", ")} }`;
      this.elementStep(operation, nftMessage.newElements, NLM_F_CREATE, table, set, list);
      list = new Attributes();
      texts = [];
    };
    for (const element of elements) {
      appendElement(list, element);
      texts.push(elementText(element));
      if (list.encode().length > MAX_LIST_BYTES) flush();
    }
    if (texts.length > 0) flush();
    return this;
  }

  /** Adds elements none of whose keys may be there: EEXIST, naming the element. */
  createElements(table: Table, set: string, elements: readonly Element[]): this {
    // One message each, so that the kernel's answer tells which key was taken.
    for (const element of elements) {
      const list = new Attributes();
      appendElement(list, element);
      const operation = `create element ${tableText(table)} ${set} { ${elementText(element)} }`;
      this.elementStep(operation, nftMessage.newElements, NLM_F_CREATE | NLM_F_EXCL, table, set, list);
    }
    return this;
  }

  /** Removes elements by their keys. ENOENT, naming the element, when one is absent: nothing is removed then. */
  deleteElements(table: Table, set: string, elements: readonly Element[]): this {
    for (const element of elements) {
      const list = new Attributes();
      appendKey(list, element);
      const operation = `delete element ${tableText(table)} ${set} { ${element.key.text} }`;
      this.elementStep(operation, nftMessage.deleteElements, 0, table, set, list);
    }
    return this;
  }

  private elementStep(
    operation: string,
    type: number,
    flags: number,
    table: Table,
    set: string,
    list: Attributes,
  ): this {
    const content = new Attributes()
      .set(elementListAttributes.table, table.name)
      .set(elementListAttributes.set, set)
      .set(elementListAttributes.elements, list);
    return this.step(operation, type, flags, table, content);
  }

  /**
   * Applies everything, or throws the first failure's KernelError, whose operation is the change that failed.
   * With `generation`, as ruleset.ts reads it, the kernel refuses (ERESTART) if anyone changed the ruleset since.
   * Deletions make the socket's later close wait for the kernel, some 5 ms, so close it last.
   */
  commit(socket: NetlinkSocket, generation?: number): void {
    if (this.isEmpty) return;
    const opening = new Attributes().set(batchAttributes.generation, generation);
    socket.batch("change the ruleset", [
      batchEnd("begin a change of the ruleset", BATCH_BEGIN, opening),
      ...this.steps,
      batchEnd("commit a change of the ruleset", BATCH_END, new Attributes()),
    ]);
  }
}

/** NFNL_MSG_BATCH_* */
const BATCH_BEGIN = 16;
const BATCH_END = 17;

function batchEnd(operation: string, type: number, content: Attributes): Step {
  return { operation, type, flags: 0, body: netfilterMessage(0, content, subsystem.nftables) };
}
