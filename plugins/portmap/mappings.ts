/** Port mappings in nf_tables: ensured on ADD, verified on CHECK, removed on DEL and GC. What they look like: rules.ts. */
import { sameBytes } from "../../pkg/codec/view.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import type { Element, Placed } from "../../pkg/nftables/element.ts";
import { findElement, keyOf } from "../../pkg/nftables/elements.ts";
import { addOrRebuild } from "../../pkg/nftables/overtaken.ts";
import type { Rule } from "../../pkg/nftables/rule.ts";
import { generation, listRules } from "../../pkg/nftables/ruleset.ts";
import { buildChains, lostChain } from "../../pkg/nftables/standing-chain.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import { ownerKey, ownerNote } from "./elements.ts";
import { isGone } from "./identity.ts";
import { decodeMapped, mappedText } from "./mapped.ts";
import { conditionalChain, neighbourRule, neighboursChain, standingChains } from "./rules.ts";
import { holdsPorts, neighbourSet, standingSets, table, tableComment } from "./sets.ts";
import { conditionalHandles, taggedElements } from "./tagged.ts";

/** All that one attachment has in the table. */
export interface Plan {
  readonly attachment: Attachment;
  readonly owner: Placed;
  readonly ports: readonly Placed[];
  readonly conditional: readonly Rule[];
  /** What else has the owner's tag: what masquerades the mappings' connections, and the container's own interface. */
  readonly others: readonly Placed[];
  readonly subnets: readonly Prefix[];
  /** The shared interface whose route_localnet we turn on, if any. */
  readonly localnet: Placed | undefined;
}

/**
 * Maps the ports, all of them or none. What the attachment had before is replaced, and so are mappings of containers whose
 * namespace is gone. @throws CniError 101 naming who holds a port; KernelError
 */
export function ensureMappings(host: NetworkStack, plan: Plan): void {
  const socket = host.netfilter;
  addOrRebuild(
    (): void => {
      addNew(new Transaction(), plan).commit(socket);
    },
    (): void => rebuild(socket, plan),
  );
}

function addNew(change: Transaction, plan: Plan): Transaction {
  for (const each of [plan.owner, ...plan.ports, ...plan.others]) {
    change.createElements(table, each.set, [each.element]);
  }
  for (const rule of plan.conditional) change.addRule(table, conditionalChain, rule);
  if (plan.localnet !== undefined) change.addElements(table, plan.localnet.set, [plan.localnet.element]);
  return change;
}

/** Makes what is missing of the table, makes room, and adds. @throws KernelError ERESTART, ENOENT, EEXIST when overtaken */
function rebuild(socket: NetlinkSocket, plan: Plan): void {
  const current = generation(socket);
  const change = new Transaction();
  const taken = obstacles(socket, plan);
  buildTable(socket, change, plan.subnets);
  for (const each of taken) change.deleteElements(table, each.set, [each.element]);
  const own = (tag: string): boolean => keyOfTag(tag) === plan.attachment.key;
  for (const handle of conditionalHandles(socket, own)) change.deleteRule(table, conditionalChain, handle);
  addNew(change, plan).commit(socket, current);
}

/** Declares everything that stands, which changes nothing where it is, and fills chains that have lost rules. */
function buildTable(socket: NetlinkSocket, change: Transaction, subnets: readonly Prefix[]): void {
  change.addTable(table, tableComment);
  for (const set of standingSets()) change.addSet(table, set);
  buildChains(socket, change, table, standingChains());
  const present = listRules(socket, table, neighboursChain);
  for (const subnet of subnets) {
    const set = neighbourSet(subnet);
    change.addSet(table, set);
    if (!present.some((rule) => rule.comment === set.name)) {
      change.addRule(table, neighboursChain, neighbourRule(set, subnet));
    }
  }
}

/** Elements that must go before the plan's can come: the attachment's own earlier ones, and what others left behind. */
function obstacles(socket: NetlinkSocket, plan: Plan): Placed[] {
  const found = new Obstacles();
  const own = (tag: string): boolean => keyOfTag(tag) === plan.attachment.key;
  if (findElement(socket, table, plan.owner.set, plan.owner.element) !== undefined) {
    for (const each of taggedElements(socket, own)) found.add(each.set, keyOf(each.listed));
  }
  for (const each of [...plan.ports, ...plan.others]) {
    const there = findElement(socket, table, each.set, each.element);
    if (there === undefined) continue;
    if (holdsPorts(each.set)) refuseIfTaken(socket, plan.attachment, each, there.comment ?? "");
    found.add(each.set, keyOf(there));
  }
  return found.list;
}

/** Elements, each once. */
class Obstacles {
  readonly list: Placed[] = [];
  private readonly seen = new Set<string>();

  add(set: string, element: Element): void {
    const name = `${set} ${element.key.text}`;
    if (this.seen.has(name)) return;
    this.seen.add(name);
    this.list.push({ set, element });
  }
}

/** @throws CniError 101 unless the holder is the attachment itself or gone */
function refuseIfTaken(socket: NetlinkSocket, attachment: Attachment, wanted: Placed, tag: string): void {
  const key = keyOfTag(tag) ?? "";
  if (key === attachment.key || key === "") return;
  const sought = ownerKey(key);
  const owner = findElement(socket, table, sought.set, sought.element);
  if (owner === undefined || isGone(ownerNote(owner.own).identity)) return;
  throw new CniError(
    ErrorCode.Taken,
    `Cannot map host port ${portText(wanted.element)}: it is held by ${holderNamed(tag)}`,
    "remove that container, or map another port of the host; GC removes what dead containers left",
  );
}

function portText(element: Element): string {
  const mapped = decodeMapped(element.key.bytes, element.data?.bytes ?? new Uint8Array(0));
  return mapped === undefined ? element.key.text : mappedText(mapped);
}

/** A tag is `<key> <network> <ifname> <container>`. */
function holderNamed(tag: string): string {
  const words = tag.split(" ");
  return `container ${words.at(3) ?? "?"} (${words.at(2) ?? "?"}, network ${words.at(1) ?? "?"})`;
}

/** @throws CniError 102 naming the mapping that is not as ADD left it */
export function verifyMappings(host: NetworkStack, plan: Plan): void {
  const socket = host.netfilter;
  // First what only this container's ADD makes: advice for the chains is of no use where the mappings are gone as well.
  for (const each of [...plan.ports, ...plan.others, plan.owner]) verifyElement(socket, plan.attachment, each);
  const lost = lostChain(socket, table, standingChains());
  if (lost !== undefined) {
    throw drift(
      `chain ${lost} of table inet ${table.name} has lost rules`,
      "any ADD of portmap builds the table again",
    );
  }
  const own = (tag: string): boolean => keyOfTag(tag) === plan.attachment.key;
  if (conditionalHandles(socket, own).length !== plan.conditional.length) {
    throw drift(
      `rules with conditions of ${plan.attachment.toString()} are missing in chain ${conditionalChain} of table inet ${table.name}`,
    );
  }
  const present = listRules(socket, table, neighboursChain);
  for (const subnet of plan.subnets) {
    if (present.some((rule) => rule.comment === neighbourSet(subnet).name)) continue;
    throw drift(
      `connections from ${subnet.toString()} to mapped ports are not masqueraded: chain ${neighboursChain} lacks their rule`,
    );
  }
}

function verifyElement(socket: NetlinkSocket, attachment: Attachment, wanted: Placed): void {
  const found = findElement(socket, table, wanted.set, wanted.element);
  const where = `in ${wanted.set} of table inet ${table.name}`;
  const what = `${portText(wanted.element)} of ${attachment.toString()}`;
  if (found === undefined) throw drift(`${what} is missing ${where}`);
  if (keyOfTag(found.comment ?? "") !== attachment.key) {
    throw drift(`${what} belongs to ${holderNamed(found.comment ?? "")} ${where}`);
  }
  const data = wanted.element.data;
  if (data !== undefined && !sameBytes(data.bytes, found.data ?? new Uint8Array(0))) {
    throw drift(`${what} leads elsewhere than to ${data.text} ${where}`);
  }
}
