/** Reading the ruleset: what tables, chains, rules and sets there are. Absence is a value. Elements are read by elements.ts. */
import { raw } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Attributes, attribute } from "../netlink/attributes.ts";
import { NFGENMSG_BYTES, netfilterMessage } from "../netlink/netfilter.ts";
import type { Message, NetlinkSocket } from "../netlink/socket.ts";
import { unlessAbsent } from "./absence.ts";
import { chainPath } from "./chain.ts";
import {
  chainAttributes,
  generationAttributes,
  hookAttributes,
  nftMessage,
  ruleAttributes,
  setAttributes,
  tableAttributes,
} from "./messages.ts";
import { NFT_SET_MAP } from "./set.ts";
import { familyNumber, familyOf, type Table, tableText } from "./table.ts";
import { SET_COMMENT, userdataComment } from "./userdata.ts";

/** A chain in the kernel; `hook` is NF_INET_*, and like the policy `undefined` for regular chains. */
export interface ListedChain {
  readonly table: Table;
  readonly name: string;
  readonly handle: number;
  readonly type: string | undefined;
  readonly hook: number | undefined;
  readonly priority: number | undefined;
  readonly policy: "accept" | "drop" | undefined;
  readonly comment: string | undefined;
}

/** A rule in the kernel. `expressions` are its NFTA_RULE_EXPRESSIONS, for comparing. */
export interface ListedRule {
  readonly handle: number;
  readonly comment: string | undefined;
  readonly expressions: Uint8Array;
}

/** A set or map in the kernel; lengths in bytes. */
export interface ListedSet {
  readonly name: string;
  readonly isMap: boolean;
  readonly keyLength: number;
  readonly dataLength: number;
  readonly comment: string | undefined;
}

const ANY_FAMILY = 0;

/** The generation of the ruleset: it grows with each transaction of anyone. */
export function generation(socket: NetlinkSocket): number {
  const body = netfilterMessage(ANY_FAMILY, new Attributes());
  for (const answer of socket.request("read the ruleset's generation", nftMessage.getGeneration, 0, body)) {
    const id = content(answer.body).get(generationAttributes.id);
    if (id !== undefined) return id;
  }
  return 0;
}

/** Whether the table is there. */
export function tableExists(socket: NetlinkSocket, table: Table): boolean {
  const request = new Attributes().set(tableAttributes.name, table.name);
  const body = netfilterMessage(familyNumber(table.family), request);
  return exists(() => socket.request(`get table ${tableText(table)}`, nftMessage.getTable, 0, body));
}

/** Whether the chain is there. */
export function chainExists(socket: NetlinkSocket, table: Table, chain: string): boolean {
  const request = new Attributes().set(chainAttributes.table, table.name).set(chainAttributes.name, chain);
  const body = netfilterMessage(familyNumber(table.family), request);
  return exists(() => socket.request(`get ${chainPath(table, chain)}`, nftMessage.getChain, 0, body));
}

/** The table's chains; none when the table is absent. */
export function listChains(socket: NetlinkSocket, table: Table): ListedChain[] {
  const all = chainsOf(socket, familyNumber(table.family), `list chains of ${tableText(table)}`);
  return all.filter((chain) => chain.table.name === table.name); // the kernel sends those of every table
}

/** Every table's chains that packets passing through come by. */
export function listForwardChains(socket: NetlinkSocket): ListedChain[] {
  const all = chainsOf(socket, ANY_FAMILY, "list chains");
  return all.filter((chain) => chain.hook === NF_INET_FORWARD && chain.table.family !== "bridge");
}

const NF_INET_FORWARD = 2;

function chainsOf(socket: NetlinkSocket, family: number, operation: string): ListedChain[] {
  const chains: ListedChain[] = [];
  for (const answer of socket.dump(operation, nftMessage.getChain, netfilterMessage(family, new Attributes()))) {
    const row = content(answer.body);
    const ofTable = familyOf(familyByte(answer.body));
    if (ofTable === undefined) continue;
    const hook = row.get(chainAttributes.hook);
    const priority = hook?.get(hookAttributes.priority);
    const policy = row.get(chainAttributes.policy);
    chains.push({
      table: { family: ofTable, name: row.get(chainAttributes.table) ?? "" },
      name: row.get(chainAttributes.name) ?? "",
      handle: row.get(chainAttributes.handle) ?? 0,
      type: row.get(chainAttributes.type),
      hook: hook?.get(hookAttributes.hook),
      priority: priority === undefined ? undefined : priority | 0,
      policy: policy === undefined ? undefined : policy === 0 ? "drop" : "accept",
      comment: userdataComment(row.get(chainAttributes.userdata)),
    });
  }
  return chains;
}

/** The chain's rules in order; none when table or chain is absent. */
export function listRules(socket: NetlinkSocket, table: Table, chain: string): ListedRule[] {
  const rules: ListedRule[] = [];
  const request = new Attributes().set(ruleAttributes.table, table.name).set(ruleAttributes.chain, chain);
  const body = netfilterMessage(familyNumber(table.family), request);
  for (const answer of socket.dump(`list rules of ${chainPath(table, chain)}`, nftMessage.getRule, body)) {
    const row = content(answer.body);
    rules.push({
      handle: row.get(ruleAttributes.handle) ?? 0,
      comment: userdataComment(row.get(ruleAttributes.userdata)),
      expressions: row.get(expressionBytes) ?? new Uint8Array(0),
    });
  }
  return rules;
}

/** NFTA_RULE_EXPRESSIONS, undecoded. */
const expressionBytes = attribute(4, raw);

/** The table's sets and maps; none when the table is absent. */
export function listSets(socket: NetlinkSocket, table: Table): ListedSet[] {
  const sets: ListedSet[] = [];
  const request = new Attributes().set(setAttributes.table, table.name);
  const body = netfilterMessage(familyNumber(table.family), request);
  const operation = `list sets of ${tableText(table)}`;
  for (const answer of unlessAbsent(() => socket.dump(operation, nftMessage.getSet, body)) ?? []) {
    const row = content(answer.body);
    sets.push({
      name: row.get(setAttributes.name) ?? "",
      isMap: ((row.get(setAttributes.flags) ?? 0) & NFT_SET_MAP) !== 0,
      keyLength: row.get(setAttributes.keyLength) ?? 0,
      dataLength: row.get(setAttributes.dataLength) ?? 0,
      comment: userdataComment(row.get(setAttributes.userdata), SET_COMMENT),
    });
  }
  return sets;
}

function exists(read: () => readonly Message[]): boolean {
  return unlessAbsent(read) !== undefined;
}

function content(body: Uint8Array): Attributes {
  return Attributes.decode(body.subarray(NFGENMSG_BYTES), "nftables");
}

function familyByte(body: Uint8Array): number {
  return viewOf(body).getUint8(0);
}
