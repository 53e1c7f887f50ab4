/** A device's former state as JSON text: what is in its record on disk (docs/decisions/0010-devices-that-come-back.md). */
import { Attachment } from "../../pkg/skel/attachment.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { JsonObject, parseObject } from "../../spec/json.ts";
import type { FormerAddress, FormerRoute, FormerState } from "./former-state.ts";

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
  readonly addresses: readonly FormerAddress[];
  readonly routes: readonly FormerRoute[];
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
    addresses: state.addresses,
    routes: state.routes,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** @throws CniError 6 naming `subject` when this is no record, or lacks what makes one */
export function decodeState(text: string, subject: string): FormerState {
  const object = parseObject(text, subject);
  const state: FormerState = {
    attachment: new Attachment(textAt(object, "network"), textAt(object, "containerID"), textAt(object, "ifname")),
    namespacePath: textAt(object, "netns"),
    namespace: textAt(object, "namespace"),
    name: textAt(object, "name"),
    index: numberAt(object, "index"),
    kind: textAt(object, "kind"),
    mac: textAt(object, "mac"),
    permanentMac: textAt(object, "permanentMac"),
    hardware: textAt(object, "hardware"),
    pciAddress: textAt(object, "pciAddress"),
    mtu: numberAt(object, "mtu"),
    up: flagAt(object, "up"),
    promiscuous: flagAt(object, "promiscuous"),
    allMulticast: flagAt(object, "allMulticast"),
    txQueueLength: numberAt(object, "txQueueLength"),
    group: numberAt(object, "group"),
    master: textAt(object, "master"),
    alias: textAt(object, "alias"),
    alternativeNames: textsAt(object, "alternativeNames"),
    restoresAddresses: flagAt(object, "restoresAddresses"),
    addresses: addressesAt(object),
    routes: routesAt(object),
  };
  const isWhole = object.get("format") === FORMAT && state.attachment.containerId !== "" && state.mtu > 0;
  if (isWhole && state.name !== "") return state;
  throw new CniError(ErrorCode.Decode, `${subject} is no record of a device`);
}

function addressesAt(object: JsonObject): FormerAddress[] {
  const found: FormerAddress[] = [];
  for (const each of objectsAt(object, "addresses")) {
    found.push({
      address: textAt(each, "address"),
      peer: textAt(each, "peer"),
      broadcast: textAt(each, "broadcast"),
      scope: numberAt(each, "scope"),
    });
  }
  return found;
}

function routesAt(object: JsonObject): FormerRoute[] {
  const found: FormerRoute[] = [];
  for (const each of objectsAt(object, "routes")) {
    found.push({
      dst: textAt(each, "dst"),
      gateway: textAt(each, "gateway"),
      source: textAt(each, "source"),
      table: numberAt(each, "table"),
      priority: numberAt(each, "priority"),
      scope: numberAt(each, "scope"),
      protocol: numberAt(each, "protocol"),
      type: numberAt(each, "type"),
      mtu: numberAt(each, "mtu"),
      advmss: numberAt(each, "advmss"),
      onLink: flagAt(each, "onLink"),
    });
  }
  return found;
}

function objectsAt(object: JsonObject, name: string): JsonObject[] {
  const found: JsonObject[] = [];
  const value = object.get(name);
  if (!Array.isArray(value)) return found;
  for (const item of value as unknown[]) {
    const each = JsonObject.of(item);
    if (each !== undefined) found.push(each);
  }
  return found;
}

function textsAt(object: JsonObject, name: string): string[] {
  const found: string[] = [];
  const value = object.get(name);
  if (!Array.isArray(value)) return found;
  for (const item of value as unknown[]) if (typeof item === "string") found.push(item);
  return found;
}

function textAt(object: JsonObject, name: string): string {
  const value = object.get(name);
  return typeof value === "string" ? value : "";
}

function numberAt(object: JsonObject, name: string): number {
  const value = object.get(name);
  return typeof value === "number" ? value : 0;
}

function flagAt(object: JsonObject, name: string): boolean {
  const value = object.get(name);
  return typeof value === "boolean" ? value : false;
}
