/** What an attachment puts into the sets and maps, and the record of it that its own element carries. */
import { viewOf } from "../../pkg/codec/view.ts";
import { Writer } from "../../pkg/codec/writer.ts";
import { Address } from "../../pkg/ip/address.ts";
import { addressDatum, interfaceDatum, ownerDatum } from "../../pkg/nftables/datum.ts";
import { type Element, element, type Placed, verdictMapping } from "../../pkg/nftables/element.ts";
import type { Verdict } from "../../pkg/nftables/verdict.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { accepted, markingName, OWNERS } from "./rules.ts";
import type { Wanted } from "./wanted.ts";

/** What an attachment has; `isWhole` is false when there was more than fits. */
export interface OwnerRecord {
  readonly bridge: string;
  /** Its port of the bridge. */
  readonly port: string;
  /** firewalld's zone that the addresses are in; empty when it is not ours to know. */
  readonly zone: string;
  readonly addresses: readonly Address[];
  readonly isWhole: boolean;
}

/** What fits beside the owner's tag. */
const RECORD_BYTES = 120;
const WHOLE = 1;
/** Bridge, port, zone. */
const NAMES = 3;

/** The owner's own element, with what else it has. */
export function ownerElement(wanted: Wanted): Placed {
  const own = encodeRecord([wanted.ingress?.bridge ?? "", wanted.ingress?.port ?? "", wanted.zone], wanted.addresses);
  const key = [ownerDatum(wanted.attachment.key)];
  return { set: OWNERS, element: element(key, { comment: wanted.attachment.tag, own }) };
}

/** The same by its key alone: to be looked up. */
export function ownerKey(attachment: Attachment): Placed {
  return { set: OWNERS, element: element([ownerDatum(attachment.key)]) };
}

/** A byte that says whether all is there; the names of bridge, port and zone, and each address, behind their lengths. */
export function encodeRecord(names: readonly string[], addresses: readonly Address[]): Uint8Array {
  const body = new Writer();
  for (const name of names) {
    const bytes = new TextEncoder().encode(name);
    body.u8(bytes.length).bytes(bytes);
  }
  let isWhole = true;
  for (const { bytes } of addresses) {
    if (body.length + 1 + bytes.length < RECORD_BYTES) body.u8(bytes.length).bytes(bytes);
    else isWhole = false;
  }
  return new Writer()
    .u8(isWhole ? WHOLE : 0)
    .bytes(body.done())
    .done()
    .slice(0, body.length + 1);
}

/** What encodeRecord() wrote; of anything else, nothing whole. */
export function decodeRecord(own: Uint8Array | undefined): OwnerRecord {
  const bytes = own ?? new Uint8Array(0);
  const view = viewOf(bytes);
  const parts: Uint8Array[] = [];
  let at = 1;
  while (at < bytes.length) {
    const length = view.getUint8(at);
    parts.push(bytes.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  const addresses: Address[] = [];
  for (const part of parts.slice(NAMES)) if (part.length === 4 || part.length === 16) addresses.push(new Address(part));
  return {
    bridge: new TextDecoder().decode(parts.at(0) ?? new Uint8Array(0)),
    port: new TextDecoder().decode(parts.at(1) ?? new Uint8Array(0)),
    zone: new TextDecoder().decode(parts.at(2) ?? new Uint8Array(0)),
    addresses,
    isWhole: bytes.length > 0 && view.getUint8(0) === WHOLE,
  };
}

/** What becomes of an address's packets. `mark` are the bits that they get; 0 for none. */
export function verdictFor(mark: number): Verdict {
  return mark === 0 ? { kind: "accept", chain: undefined } : { kind: "goto", chain: markingName(mark) };
}

/** An address's element, with its owner as comment. */
export function addressElement(address: Address, tag: string, mark: number): Placed {
  const own = verdictMapping([addressDatum(address)], verdictFor(mark), { comment: tag });
  return { set: accepted(address.family), element: own };
}

/** An address's element by its key. */
export function addressKey(address: Address): Placed {
  return { set: accepted(address.family), element: element([addressDatum(address)]) };
}

export function bridgeElement(bridge: string): Element {
  return element([interfaceDatum(bridge)]);
}

/** A port of a bridge, with its owner. */
export function portElement(port: string, tag: string): Element {
  return element([interfaceDatum(port)], { comment: tag });
}

export function togetherElement(bridge: string): Element {
  return element([interfaceDatum(bridge), interfaceDatum(bridge)]);
}
