/** A device's former state as JSON text: what is in its record on disk (docs/decisions/0010-devices-that-come-back.md). */
import { parseHex, toHex } from "../../pkg/codec/hex.ts";
import { AddressCopy } from "../../pkg/netlink/address-copy.ts";
import { RouteCopy } from "../../pkg/netlink/route-copy.ts";
import { Attachment } from "../../pkg/skel/attachment.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type JsonObject, parseObject } from "../../spec/json.ts";
import type { FormerState } from "./former-state.ts";

const FORMAT = "ferrule host-device 1";

/** The record's members, in the order in which they are written. */
interface StateDocument {
  readonly format: string;
  readonly network: string;
  readonly containerID: string;
  readonly ifname: string;
  readonly netns: string;
  readonly namespace: string;
  readonly name: string;
  readonly index: number;
  readonly kind: string;
  readonly mac: string;
  readonly permanentMac: string;
  readonly hardware: string;
  readonly pciAddress: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly promiscuous: boolean;
  readonly allMulticast: boolean;
  readonly txQueueLength: number;
  readonly group: number;
  readonly master: string;
  readonly alias: string;
  readonly alternativeNames: readonly string[];
  readonly restoresAddresses: boolean;
  readonly addresses: readonly KeptMessage[];
  readonly routes: readonly KeptMessage[];
}

/** What the kernel said of an address or route: for people, and in hexadecimal digits. */
interface KeptMessage {
  readonly text: string;
  readonly message: string;
}

export function encodeState(state: FormerState): string {
  const document: StateDocument = {
    format: FORMAT,
    network: state.attachment.network,
    containerID: state.attachment.containerId,
    ifname: state.attachment.ifName,
    netns: state.namespacePath,
    namespace: state.namespace,
    name: state.name,
    index: state.index,
    kind: state.kind,
    mac: state.mac,
    permanentMac: state.permanentMac,
    hardware: state.hardware,
    pciAddress: state.pciAddress,
    mtu: state.mtu,
    up: state.up,
    promiscuous: state.promiscuous,
    allMulticast: state.allMulticast,
    txQueueLength: state.txQueueLength,
    group: state.group,
    master: state.master,
    alias: state.alias,
    alternativeNames: state.alternativeNames,
    restoresAddresses: state.restoresAddresses,
    addresses: state.addresses.map((each): KeptMessage => kept(each.address.prefix.toString(), each.body)),
    routes: state.routes.map((each): KeptMessage => kept(each.toString(), each.body)),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function kept(text: string, body: Uint8Array): KeptMessage {
  return { text, message: toHex(body) };
}

/** @throws CniError 6 naming `subject` when this is no record, or lacks what makes one */
export function decodeState(text: string, subject: string): FormerState {
  const object = parseObject(text, subject);
  const state: FormerState = {
    attachment: new Attachment(
      object.text("network") ?? "",
      object.text("containerID") ?? "",
      object.text("ifname") ?? "",
    ),
    namespacePath: object.text("netns") ?? "",
    namespace: object.text("namespace") ?? "",
    name: object.text("name") ?? "",
    index: object.number("index") ?? 0,
    kind: object.text("kind") ?? "",
    mac: object.text("mac") ?? "",
    permanentMac: object.text("permanentMac") ?? "",
    hardware: object.text("hardware") ?? "",
    pciAddress: object.text("pciAddress") ?? "",
    mtu: object.number("mtu") ?? 0,
    up: object.flag("up") ?? false,
    promiscuous: object.flag("promiscuous") ?? false,
    allMulticast: object.flag("allMulticast") ?? false,
    txQueueLength: object.number("txQueueLength") ?? 0,
    group: object.number("group") ?? 0,
    master: object.text("master") ?? "",
    alias: object.text("alias") ?? "",
    alternativeNames: object.texts("alternativeNames"),
    restoresAddresses: object.flag("restoresAddresses") ?? false,
    addresses: messagesAt(object, "addresses", subject, (body): AddressCopy | undefined => AddressCopy.of(body)),
    routes: messagesAt(object, "routes", subject, (body): RouteCopy | undefined => RouteCopy.of(body)),
  };
  const isWhole = object.get("format") === FORMAT && state.attachment.containerId !== "" && state.mtu > 0;
  if (isWhole && state.name !== "") return state;
  throw noRecord(subject);
}

function noRecord(subject: string): CniError {
  return new CniError(ErrorCode.Decode, `${subject} is no record of a device`);
}

/** @throws CniError 6 */
function messagesAt<T>(
  object: JsonObject,
  name: string,
  subject: string,
  decode: (body: Uint8Array) => T | undefined,
): T[] {
  const found: T[] = [];
  for (const each of object.objects(name)) {
    const body = parseHex(each.text("message") ?? "");
    const one = body === undefined ? undefined : decodeOrNone(body, decode);
    if (one === undefined) throw noRecord(subject);
    found.push(one);
  }
  return found;
}

function decodeOrNone<T>(body: Uint8Array, decode: (body: Uint8Array) => T | undefined): T | undefined {
  try {
    return decode(body);
  } catch (_) {
    return undefined;
  }
}
