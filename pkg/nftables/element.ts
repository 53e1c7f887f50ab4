/** Elements of sets and maps, to be added or deleted. What the kernel holds is read by elements.ts. */
import { Attributes } from "../netlink/attributes.ts";
import { concatenation, type Datum } from "./datum.ts";
import { value, verdictData } from "./expression.ts";
import { elementAttributes, listAttributes } from "./messages.ts";
import { OWN_TYPE, Userdata } from "./userdata.ts";
import { type Verdict, verdictCode, verdictText } from "./verdict.ts";

/** What an element carries beside its key. `own` is the caller's, and of no meaning to nft; together 250 bytes fit. */
export interface ElementNotes {
  readonly comment?: string;
  readonly own?: Uint8Array;
}

/** One element. */
export interface Element {
  readonly key: Datum;
  readonly data: Datum | undefined;
  readonly verdict: Verdict | undefined;
  readonly notes: ElementNotes;
}

/** An element and the set or map that it is for. */
export interface Placed {
  readonly set: string;
  readonly element: Element;
}

/** An element of a set. */
export function element(key: readonly Datum[], notes: ElementNotes = {}): Element {
  return { key: concatenation(key), data: undefined, verdict: undefined, notes };
}

/** An element of a map. */
export function mapping(key: readonly Datum[], data: readonly Datum[], notes: ElementNotes = {}): Element {
  return { key: concatenation(key), data: concatenation(data), verdict: undefined, notes };
}

/** An element of a verdict map. */
export function verdictMapping(key: readonly Datum[], verdict: Verdict, notes: ElementNotes = {}): Element {
  return { key: concatenation(key), data: undefined, verdict, notes };
}

/** As nft writes it: `tcp . 80 comment "web" : 10.1.1.2 . 8080`. */
export function elementText(source: Element): string {
  const comment = source.notes.comment === undefined ? "" : ` comment "${source.notes.comment}"`;
  const key = `${source.key.text}${comment}`;
  if (source.verdict !== undefined) return `${key} : ${verdictText(source.verdict)}`;
  return source.data === undefined ? key : `${key} : ${source.data.text}`;
}

/** Appends an element to a list. */
export function appendElement(list: Attributes, source: Element): void {
  list.set(listAttributes.element, encodeMember(source));
}

/** Appends an element's key alone, which is what names it. */
export function appendKey(list: Attributes, source: Element): void {
  const key = new Attributes().set(elementAttributes.key, value(source.key.bytes));
  list.set(listAttributes.element, key);
}

function encodeMember(source: Element): Attributes {
  const out = new Attributes().set(elementAttributes.key, value(source.key.bytes));
  if (source.data !== undefined) out.set(elementAttributes.data, value(source.data.bytes));
  if (source.verdict !== undefined) {
    out.set(elementAttributes.data, verdictData(verdictCode(source.verdict), source.verdict.chain));
  }
  const userdata = new Userdata().comment(source.notes.comment);
  if (source.notes.own !== undefined) userdata.add(OWN_TYPE, source.notes.own);
  return out.set(elementAttributes.userdata, userdata.done());
}
