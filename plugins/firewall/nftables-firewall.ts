/** The containers' entries in nf_tables: ensured on ADD and verified on CHECK. What they look like: rules.ts. They leave by removal.ts. */

import type { NetlinkSocket } from "../../pkg/netlink/socket.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { regularChain } from "../../pkg/nftables/chain.ts";
import type { Placed } from "../../pkg/nftables/element.ts";
import { findElement, keyOf, listElements } from "../../pkg/nftables/elements.ts";
import { addOrRebuild } from "../../pkg/nftables/overtaken.ts";
import { generation } from "../../pkg/nftables/ruleset.ts";
import { buildChains, lostChain, type StandingChain } from "../../pkg/nftables/standing-chain.ts";
import type { Table } from "../../pkg/nftables/table.ts";
import { Transaction } from "../../pkg/nftables/transaction.ts";
import { verdictText } from "../../pkg/nftables/verdict.ts";
import { keyOfTag } from "../../pkg/skel/attachment.ts";
import { drift } from "../../spec/errors.ts";
import {
  addressElement,
  addressKey,
  bridgeElement,
  decodeRecord,
  ownerElement,
  ownerKey,
  portElement,
  togetherElement,
  verdictFor,
} from "./entries.ts";
import { releaseBridges, releasePort } from "./removal.ts";
import {
  ADMIN,
  APART,
  apartSet,
  BRIDGES,
  bridgeChain,
  bridgeTable,
  bridgeTableComment,
  markingChain,
  OWNERS,
  standingChains,
  standingSets,
  TOGETHER,
  table,
  tableComment,
} from "./rules.ts";
import type { Ingress, Wanted } from "./wanted.ts";

/**
 * Makes the attachment's entries, all of them or none. What it had before is replaced, and an address that somebody left behind
 * is taken over. @throws KernelError
 */
export function ensureInNftables(host: NetworkStack, wanted: Wanted): void {
  const socket = host.netfilter;
  addOrRebuild(
    (): void => {
      if (lostRules(socket, wanted) === undefined) addNew(socket, new Transaction(), wanted).commit(socket);
      else rebuild(socket, wanted);
    },
    (): void => rebuild(socket, wanted),
  );
}

function addNew(socket: NetlinkSocket, change: Transaction, wanted: Wanted): Transaction {
  const owner = ownerElement(wanted);
  change.createElements(table, owner.set, [owner.element]);
  for (const address of wanted.addresses) {
    const each = addressElement(address, wanted.attachment.tag, wanted.mark);
    change.createElements(table, each.set, [each.element]);
  }
  if (wanted.ingress !== undefined) setPolicy(socket, change, wanted.ingress, wanted.attachment.tag);
  return change;
}

/**
 * A bridge has one policy: that of the last ADD that had any. Where that is another than before, the other containers' ports are
 * kept apart, or no longer.
 */
function setPolicy(socket: NetlinkSocket, change: Transaction, { bridge, port, policy }: Ingress, tag: string): void {
  change.addElements(table, BRIDGES, [bridgeElement(bridge)]);
  const together = togetherElement(bridge);
  const wereTogether = findElement(socket, table, TOGETHER, together) !== undefined;
  if (policy === "isolated") {
    if (port !== "") {
      const own = portElement(port, tag);
      // One that somebody left behind is taken over, so that its comment names who has it now.
      if (findElement(socket, bridgeTable, APART, own) !== undefined) change.deleteElements(bridgeTable, APART, [own]);
      change.addElements(bridgeTable, APART, [own]);
    }
    if (!wereTogether) return;
    change.deleteElements(table, TOGETHER, [together]);
    for (const other of portsOf(socket, bridge)) {
      if (other.port !== port) change.addElements(bridgeTable, APART, [portElement(other.port, other.tag)]);
    }
    return;
  }
  change.addElements(table, TOGETHER, [together]);
  if (wereTogether || port === "") return;
  for (const other of portsOf(socket, bridge)) {
    const element = bridgeElement(other.port);
    if (findElement(socket, bridgeTable, APART, element) !== undefined) {
      change.deleteElements(bridgeTable, APART, [element]);
    }
  }
}

/** A container's port of a bridge, and whose it is. */
interface OwnedPort {
  readonly port: string;
  readonly tag: string;
}

function portsOf(socket: NetlinkSocket, bridge: string): OwnedPort[] {
  const found: OwnedPort[] = [];
  for (const owner of listElements(socket, table, OWNERS) ?? []) {
    const record = decodeRecord(owner.own);
    if (record.bridge === bridge && record.port !== "") found.push({ port: record.port, tag: owner.comment ?? "" });
  }
  return found;
}

/** Makes what is missing of the tables, makes room, and adds. @throws KernelError ERESTART, ENOENT, EEXIST when overtaken */
function rebuild(socket: NetlinkSocket, wanted: Wanted): void {
  const current = generation(socket);
  const change = new Transaction();
  change.addTable(table, tableComment);
  for (const set of standingSets()) change.addSet(table, set);
  change.addChain(table, regularChain(ADMIN, "yours: what comes before the containers' rules"));
  for (const { of, chains } of chainsFor(wanted)) {
    if (of.family === bridgeTable.family)
      change.addTable(bridgeTable, bridgeTableComment).addSet(bridgeTable, apartSet);
    buildChains(socket, change, of, chains);
  }
  for (const each of obstacles(socket, wanted)) change.deleteElements(table, each.set, [each.element]);
  releaseFormerPlace(socket, change, wanted);
  addNew(socket, change, wanted).commit(socket, current);
}

/** Chains of one table. */
interface TableChains {
  readonly of: Table;
  readonly chains: readonly StandingChain[];
}

/** The chains that an attachment relies on. */
function chainsFor({ mark, ingress }: Wanted): TableChains[] {
  const chains = mark === 0 ? standingChains() : [...standingChains(), markingChain(mark)];
  const found: TableChains[] = [{ of: table, chains }];
  if (ingress?.policy === "isolated" && ingress.port !== "") found.push({ of: bridgeTable, chains: [bridgeChain()] });
  return found;
}

/** One of these chains that is not there, or that somebody has flushed: its path. */
function lostRules(socket: NetlinkSocket, wanted: Wanted): string | undefined {
  for (const { of, chains } of chainsFor(wanted)) {
    const lost = lostChain(socket, of, chains);
    if (lost !== undefined) return `${lost} of table ${of.family} ${of.name}`;
  }
  return undefined;
}

/** Elements that must go before the attachment's can come: its own earlier ones, and its addresses where others left them. */
function obstacles(socket: NetlinkSocket, wanted: Wanted): Placed[] {
  const found: Placed[] = [];
  const { attachment } = wanted;
  const sought = ownerKey(attachment);
  const owner = findElement(socket, table, sought.set, sought.element);
  const addresses = [...wanted.addresses];
  if (owner !== undefined) {
    found.push({ set: sought.set, element: keyOf(owner) });
    for (const each of decodeRecord(owner.own).addresses) {
      if (!addresses.some((other) => other.equals(each))) addresses.push(each);
    }
  }
  for (const address of addresses) {
    const key = addressKey(address);
    const there = findElement(socket, table, key.set, key.element);
    if (there === undefined) continue;
    const isOwn = keyOfTag(there.comment ?? "") === attachment.key;
    if (isOwn || wanted.addresses.some((each) => each.equals(address))) found.push(key);
  }
  return found;
}

/** Where the attachment was on another bridge or port before. */
function releaseFormerPlace(socket: NetlinkSocket, change: Transaction, { attachment, ingress }: Wanted): void {
  const sought = ownerKey(attachment);
  const owner = findElement(socket, table, sought.set, sought.element);
  if (owner === undefined) return;
  const isOwn = (tag: string): boolean => keyOfTag(tag) === attachment.key;
  const before = decodeRecord(owner.own);
  if (before.port !== ingress?.port) releasePort(socket, change, before.port, isOwn);
  if (before.bridge !== "" && before.bridge !== ingress?.bridge) releaseBridges(socket, change, [before.bridge], isOwn);
}

/** @throws CniError 102 naming what is not as ADD left it */
export function verifyInNftables(host: NetworkStack, wanted: Wanted): void {
  const socket = host.netfilter;
  const { attachment, ingress, mark } = wanted;
  for (const address of wanted.addresses) {
    const key = addressKey(address);
    const found = findElement(socket, table, key.set, key.element);
    const what = `address ${address.toString()} of ${attachment.toString()}`;
    if (found === undefined) throw drift(`${what} is missing in ${key.set} of table inet ${table.name}`);
    if (keyOfTag(found.comment ?? "") !== attachment.key) {
      throw drift(`${what} is another's in ${key.set} of table inet ${table.name}: ${found.comment ?? ""}`);
    }
    const verdict = verdictText(verdictFor(mark));
    if (found.verdict !== undefined && verdictText(found.verdict) === verdict) continue;
    throw drift(
      `${what} leads to another verdict than "${verdict}" in ${key.set} of table inet ${table.name}`,
      "acceptMark has changed since ADD: another ADD of the same container sets it",
    );
  }
  const sought = ownerKey(attachment);
  if (findElement(socket, table, sought.set, sought.element) === undefined) {
    throw drift(`${attachment.toString()} is missing in ${sought.set} of table inet ${table.name}`);
  }
  if (ingress !== undefined) verifyPolicy(socket, ingress);
  const lost = lostRules(socket, wanted);
  if (lost !== undefined) throw drift(`chain ${lost} has lost rules`, "the next ADD of any container builds it again");
}

function verifyPolicy(socket: NetlinkSocket, { bridge, port, policy }: Ingress): void {
  const own = bridgeElement(bridge);
  const isApart = findElement(socket, bridgeTable, APART, bridgeElement(port)) !== undefined;
  const areTogether = findElement(socket, table, TOGETHER, togetherElement(bridge)) !== undefined;
  const isolated = policy === "isolated";
  if (
    findElement(socket, table, BRIDGES, own) === undefined ||
    areTogether === isolated ||
    (port !== "" && isApart !== isolated)
  ) {
    throw drift(
      `ingressPolicy "${policy}" is not in force on ${bridge}: see table inet ${table.name}, and table bridge ${table.name}`,
      "another ADD on this bridge sets its policy again",
    );
  }
}
