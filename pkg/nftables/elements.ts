/**
 * Reading elements of sets and maps. Ten thousand are split and searched in a few milliseconds: of each only its
 * userdata is looked at until the caller wants more.
 */
import { DecodeError } from "../codec/codec.ts";
import { toHex } from "../codec/hex.ts";
import { viewOf } from "../codec/view.ts";
import { Attributes } from "../netlink/attributes.ts";
import { NLA_HDRLEN, NLA_TYPE_MASK } from "../netlink/headers/netlink.ts";
import { NFGENMSG_BYTES, netfilterMessage } from "../netlink/netfilter.ts";
import type { Message, NetlinkSocket } from "../netlink/socket.ts";
import { unlessAbsent } from "./absence.ts";
import { appendKey, type Element, element } from "./element.ts";
import { dataAttributes, elementAttributes, elementListAttributes, nftMessage, verdictAttributes } from "./messages.ts";
import { setPath } from "./set.ts";
import { familyNumber, type Table } from "./table.ts";
import { OWN_TYPE, userdataComment, userdataEntry } from "./userdata.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

const USERDATA = 6; // NFTA_SET_ELEM_USERDATA
const ELEMENTS = 3; // NFTA_SET_ELEM_LIST_ELEMENTS

/** An element as the kernel sent it; members are decoded when asked for. */
export class ListedElement {
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The key's bytes, as concatenation() lays them out. */
  get key(): Uint8Array {
    return this.attributes.get(elementAttributes.key)?.get(dataAttributes.value) ?? new Uint8Array(0);
  }

  /** What a map holds for the key; `undefined` in sets and verdict maps. */
  get data(): Uint8Array | undefined {
    return this.attributes.get(elementAttributes.data)?.get(dataAttributes.value);
  }

  /** What a verdict map decides for the key; `undefined` in other sets and maps, and for verdicts that this package does not make. */
  get verdict(): Verdict | undefined {
    const found = this.attributes.get(elementAttributes.data)?.get(dataAttributes.verdict);
    return found === undefined
      ? undefined
      : verdictOf(found.get(verdictAttributes.code) ?? 0, found.get(verdictAttributes.chain));
  }

  get comment(): string | undefined {
    return userdataComment(this.attributes.raw(USERDATA));
  }

  /** What the caller that added the element stored for itself. */
  get own(): Uint8Array | undefined {
    const userdata = this.attributes.raw(USERDATA);
    return userdata === undefined ? undefined : userdataEntry(userdata, OWN_TYPE);
  }

  private get attributes(): Attributes {
    return Attributes.decode(this.bytes, "element");
  }
}

/** Names a listed element by its key, to look it up or delete it. */
export function keyOf(listed: ListedElement): Element {
  const bytes = listed.key;
  return element([{ text: `0x${toHex(bytes)}`, bytes }]);
}

/** Every element of the set; `undefined` when the set is absent. */
export function listElements(socket: NetlinkSocket, table: Table, set: string): ListedElement[] | undefined {
  const answers = unlessAbsent(() => socket.dump(operation(table, set), nftMessage.getElements, named(table, set)));
  return answers === undefined ? undefined : splitAll(answers);
}

/** The first elements, as many as the kernel sends at once: enough to see whether there are any. */
export function firstElements(socket: NetlinkSocket, table: Table, set: string): ListedElement[] | undefined {
  const answers = unlessAbsent(() =>
    socket.firstOfDump(operation(table, set), nftMessage.getElements, named(table, set)),
  );
  return answers === undefined ? undefined : splitAll(answers);
}

/** Whether the set has such an element; most answers come with the first ones. False when the set is absent. */
export function someElement(
  socket: NetlinkSocket,
  table: Table,
  set: string,
  test: (listed: ListedElement) => boolean,
): boolean {
  if ((firstElements(socket, table, set) ?? []).some((each) => test(each))) return true;
  return (listElements(socket, table, set) ?? []).some((each) => test(each));
}

/** The elements whose userdata the caller wants; `undefined` when the set is absent. Those without any are passed over. */
export function scanElements(
  socket: NetlinkSocket,
  table: Table,
  set: string,
  wanted: (userdata: Uint8Array) => boolean,
): ListedElement[] | undefined {
  const answers = unlessAbsent(() => socket.dump(operation(table, set), nftMessage.getElements, named(table, set)));
  if (answers === undefined) return undefined;
  const found: ListedElement[] = [];
  for (const answer of answers) scanMessage(answer.body, wanted, found);
  return found;
}

/** The element with the sought one's key; `undefined` when it, or the set, is absent. */
export function findElement(
  socket: NetlinkSocket,
  table: Table,
  set: string,
  sought: Element,
): ListedElement | undefined {
  const list = new Attributes();
  appendKey(list, sought);
  const request = new Attributes()
    .set(elementListAttributes.table, table.name)
    .set(elementListAttributes.set, set)
    .set(elementListAttributes.elements, list);
  const body = netfilterMessage(familyNumber(table.family), request);
  const doing = `get element ${sought.key.text} of ${setPath(table, set)}`;
  const answers = unlessAbsent(() => socket.request(doing, nftMessage.getElements, 0, body));
  return answers === undefined ? undefined : splitAll(answers).at(0);
}

function operation(table: Table, set: string): string {
  return `list elements of ${setPath(table, set)}`;
}

function named(table: Table, set: string): Uint8Array {
  const request = new Attributes().set(elementListAttributes.table, table.name).set(elementListAttributes.set, set);
  return netfilterMessage(familyNumber(table.family), request);
}

/** NFTA_SET_ELEM_LIST_ELEMENTS of one message. */
function memberList(body: Uint8Array): Uint8Array {
  return Attributes.decode(body.subarray(NFGENMSG_BYTES), "elements").raw(ELEMENTS) ?? new Uint8Array(0);
}

/** Where the member at `at` ends, without padding. @throws DecodeError */
function memberEnd(view: DataView, at: number): number {
  const length = view.getUint16(at, true);
  if (length < NLA_HDRLEN || at + length > view.byteLength) {
    throw new DecodeError("elements", `member at byte ${at} claims ${length} bytes, ${view.byteLength - at} are left`);
  }
  return at + length;
}

/** Appends the wanted elements of one message. One view serves for all: ten thousand of them would cost more than the kernel. */
function scanMessage(body: Uint8Array, wanted: (userdata: Uint8Array) => boolean, found: ListedElement[]): void {
  const list = memberList(body);
  const view = viewOf(list);
  let at = 0;
  while (at + NLA_HDRLEN <= list.length) {
    const end = memberEnd(view, at);
    let row = at + NLA_HDRLEN;
    while (row + NLA_HDRLEN <= end) {
      const rowEnd = memberEnd(view, row);
      if ((view.getUint16(row + 2, true) & NLA_TYPE_MASK) === USERDATA) {
        if (wanted(list.subarray(row + NLA_HDRLEN, rowEnd))) {
          found.push(new ListedElement(list.subarray(at + NLA_HDRLEN, end)));
        }
        break;
      }
      row = (rowEnd + 3) & ~3;
    }
    at = (end + 3) & ~3;
  }
}

function splitAll(answers: readonly Message[]): ListedElement[] {
  const found: ListedElement[] = [];
  for (const answer of answers) {
    const list = memberList(answer.body);
    const view = viewOf(list);
    let at = 0;
    while (at + NLA_HDRLEN <= list.length) {
      const end = memberEnd(view, at);
      found.push(new ListedElement(list.subarray(at + NLA_HDRLEN, end)));
      at = (end + 3) & ~3;
    }
  }
  return found;
}
