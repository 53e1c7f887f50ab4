/**
 * Reading elements of sets and maps. Ten thousand are split and searched in a few milliseconds: of each only its
 * userdata is looked at until the caller wants more.
 */
import { DecodeError } from "../codec/codec.ts";
import { Attributes } from "../netlink/attributes.ts";
import { NFGENMSG_BYTES, netfilterMessage } from "../netlink/netfilter.ts";
import type { Message, NetlinkSocket } from "../netlink/socket.ts";
import { unlessAbsent } from "./absence.ts";
import { appendKey, type Element } from "./element.ts";
import { dataAttributes, elementAttributes, elementListAttributes, nftMessage } from "./messages.ts";
import { setPath } from "./set.ts";
import { familyNumber, type Table } from "./table.ts";
import { OWN_TYPE, userdataComment, userdataEntry } from "./userdata.ts";

const HEADER_BYTES = 4;
const USERDATA = 6; // NFTA_SET_ELEM_USERDATA
const ELEMENTS = 3; // NFTA_SET_ELEM_LIST_ELEMENTS
const TYPE_MASK = 0x3fff;

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

  get comment(): string | undefined {
    return userdataComment(userdataOf(this.bytes));
  }

  /** What the caller that added the element stored for itself. */
  get own(): Uint8Array | undefined {
    const userdata = userdataOf(this.bytes);
    return userdata === undefined ? undefined : userdataEntry(userdata, OWN_TYPE);
  }

  /** Whether this is no element but the end of the interval before it. */
  get endsInterval(): boolean {
    return ((this.attributes.get(elementAttributes.flags) ?? 0) & 1) !== 0;
  }

  private get attributes(): Attributes {
    return Attributes.decode(this.bytes, "element");
  }
}

/** The userdata among an element's attributes, as a view. */
function userdataOf(bytes: Uint8Array): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) return undefined;
    if ((view.getUint16(at + 2, true) & TYPE_MASK) === USERDATA) return bytes.subarray(at + HEADER_BYTES, at + length);
    at += (length + 3) & ~3;
  }
  return undefined;
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
  for (const answer of answers) {
    for (const bytes of members(answer.body)) {
      const userdata = userdataOf(bytes);
      if (userdata !== undefined && wanted(userdata)) found.push(new ListedElement(bytes));
    }
  }
  return found;
}

/** The element with the sought one's key; `undefined` when it, or the set, is absent. */
export function findElement(socket: NetlinkSocket, table: Table, set: string, sought: Element): ListedElement | undefined {
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

/** Views of the elements in one message. */
function members(body: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const list = Attributes.decode(body.subarray(NFGENMSG_BYTES), "elements").raw(ELEMENTS);
  if (list === undefined) return found;
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  let at = 0;
  while (at + HEADER_BYTES <= list.length) {
    const length = view.getUint16(at, true);
    if (length < HEADER_BYTES || at + length > list.length) throw new DecodeError("elements", `impossible length ${length}`);
    found.push(list.subarray(at + HEADER_BYTES, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function splitAll(answers: readonly Message[]): ListedElement[] {
  const found: ListedElement[] = [];
  for (const answer of answers) {
    for (const bytes of members(answer.body)) found.push(new ListedElement(bytes));
  }
  return found;
}
