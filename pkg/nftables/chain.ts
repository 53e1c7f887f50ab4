/** Chains: base chains, which the kernel's hooks call, and regular ones, which rules call. */
import { Attributes } from "../netlink/attributes.ts";
import { chainAttributes, hookAttributes } from "./messages.ts";
import { type Table, tableText } from "./table.ts";
import { Userdata } from "./userdata.ts";

/** Bytes that a name may have (NFT_NAME_MAXLEN without its NUL); the kernel answers ERANGE to a longer one. */
export const LONGEST_NAME = 255;

/** Where in a packet's way a base chain sits. */
export type Hook = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** What makes a chain a base chain. Lower priorities run first; -100 is nft's dstnat, 0 filter, 100 srcnat. */
export interface Base {
  readonly type: "filter" | "nat" | "route";
  readonly hook: Hook;
  readonly priority: number;
  readonly policy: "accept" | "drop";
}

/** A chain to make. Without `base` it is a regular one. */
export interface Chain {
  readonly name: string;
  readonly base: Base | undefined;
  readonly comment: string | undefined;
}

/** A chain that rules jump to. */
export function regularChain(name: string, comment?: string): Chain {
  return { name, base: undefined, comment };
}

/** A chain that the kernel calls. */
export function baseChain(name: string, base: Base, comment?: string): Chain {
  return { name, base, comment };
}

/** The chain's own line, as nft takes it; in the listing nft names well-known priorities. */
export function chainText(chain: Chain): string {
  if (chain.base === undefined) return `chain ${chain.name}`;
  const { type, hook, priority, policy } = chain.base;
  return `chain ${chain.name} { type ${type} hook ${hook} priority ${priority}; policy ${policy}; }`;
}

/** NFTA_CHAIN_* of a chain to make. */
export function encodeChain(table: Table, chain: Chain): Attributes {
  const out = new Attributes().set(chainAttributes.table, table.name).set(chainAttributes.name, chain.name);
  if (chain.base !== undefined) {
    const { hook, priority, policy, type } = chain.base;
    const where = new Attributes()
      .set(hookAttributes.hook, hookNumber(hook))
      .set(hookAttributes.priority, priority >>> 0);
    out
      .set(chainAttributes.hook, where)
      .set(chainAttributes.policy, policy === "accept" ? 1 : 0)
      .set(chainAttributes.type, type);
  }
  return out.set(chainAttributes.userdata, new Userdata().comment(chain.comment).done());
}

/** NF_INET_* and NF_BR_*, which agree. */
function hookNumber(hook: Hook): number {
  switch (hook) {
    case "prerouting":
      return 0;
    case "input":
      return 1;
    case "forward":
      return 2;
    case "output":
      return 3;
    case "postrouting":
      return 4;
  }
}

/** `chain inet filter input`, for messages. */
export function chainPath(table: Table, chain: string): string {
  return `chain ${tableText(table)} ${chain}`;
}
