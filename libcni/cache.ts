/**
 * What a runtime must remember of an attachment until its DEL: the final result, and what it was made with (SPEC section 3,
 * "Caching"). One file each in results/, in the reference library's format, so that either can take over from the other.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { fromBase64, toBase64 } from "../pkg/codec/base64.ts";
import { replaceFile } from "../pkg/linux/replace-file.ts";
import { CniError, ErrorCode, messageOf } from "../spec/errors.ts";
import { type JsonObject, parseObject } from "../spec/json.ts";
import { JsonMembers } from "../spec/json-members.ts";
import { type Attachment, type AttachmentId, capabilityArgs, noCapabilityArgs } from "./attachment.ts";
import type { NetworkList } from "./network-list.ts";

/** Where the reference library keeps its cache, and so every runtime on the node. */
export const defaultCacheDirectory = "/var/lib/cni";

const KIND = "cniCacheV1";
/** Users' passwords may be in CNI_ARGS: the cache is root's alone. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** A cached attachment as it was read. */
export interface CachedAttachment extends Attachment {
  readonly network: string;
  /** The network configuration list that it was made with; empty in files of old libraries. */
  readonly config: string;
  /** The result as JSON text; empty when the file has none. */
  readonly result: string;
}

export class AttachmentCache {
  private readonly directory: string;

  /** `directory` is the one above results/. */
  constructor(directory: string = defaultCacheDirectory) {
    this.directory = `${directory}/results`;
  }

  /** Keeps an attachment with its result (JSON text), durably, in the place of an older record. @throws file errors */
  write(list: NetworkList, attachment: Attachment, result: string): void {
    const { containerId, ifName, netns, args } = attachment;
    const record = new JsonMembers()
      .setText("kind", KIND)
      .setText("containerId", containerId)
      .setText("config", toBase64(new TextEncoder().encode(list.text)))
      .setText("ifName", ifName)
      .setText("networkName", list.name);
    if (netns !== "") record.setText("netns", netns);
    if (args.length > 0) {
      const pairs: string[] = [];
      for (const [name, value] of args) pairs.push(`[${JSON.stringify(name)},${JSON.stringify(value)}]`);
      record.set("cniArgs", `[${pairs.join(",")}]`);
    }
    const capabilities = JsonMembers.of(attachment.capabilityArgs);
    if (!capabilities.isEmpty) record.set("capabilityArgs", capabilities.toString());
    record.set("result", result);
    mkdirSync(this.directory, { recursive: true, mode: DIRECTORY_MODE });
    replaceFile(this.path(list.name, attachment), record.toString(), FILE_MODE);
  }

  /** Whether there is a record, readable or not. */
  has(network: string, id: AttachmentId): boolean {
    try {
      return statSync(this.path(network, id)).isFile();
    } catch (_) {
      return false;
    }
  }

  /** An attachment's record, or `undefined` when there is none. @throws CniError 5 when it cannot be read, 6 when it is damaged */
  read(network: string, id: AttachmentId): CachedAttachment | undefined {
    const path = this.path(network, id);
    let text = "";
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new CniError(ErrorCode.Io, `cannot read ${path}: ${messageOf(error)}`);
    }
    const object = parseObject(text, path);
    if (object.get("kind") === KIND) return decode(object);
    // Before there were records, the file was the result itself.
    return {
      network,
      containerId: id.containerId,
      ifName: id.ifName,
      netns: "",
      args: [],
      capabilityArgs: noCapabilityArgs(),
      config: "",
      result: JsonMembers.of(object).toString(),
    };
  }

  /** Forgets an attachment; absence is success. @throws file errors */
  remove(network: string, id: AttachmentId): void {
    rmSync(this.path(network, id), { force: true });
  }

  /** Moves a record that cannot be used out of the way, where a person can look at it; its new path, empty when that failed. */
  setAside(network: string, id: AttachmentId): string {
    const away = `${this.directory}/.${fileName(network, id)}.corrupt`;
    try {
      renameSync(this.path(network, id), away);
      return away;
    } catch (_) {
      return "";
    }
  }

  /** All attachments on record, by file name. Damaged and foreign files are passed over. @throws CniError 5 */
  list(): CachedAttachment[] {
    const found: CachedAttachment[] = [];
    for (const name of this.fileNames()) {
      const record = this.tryRead(`${this.directory}/${name}`);
      if (record === undefined) continue;
      const { network, containerId, ifName } = record;
      if (fileName(network, { containerId, ifName }) === name) found.push(record);
    }
    return found;
  }

  private fileNames(): string[] {
    try {
      return readdirSync(this.directory).toSorted((a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new CniError(ErrorCode.Io, `cannot read ${this.directory}: ${messageOf(error)}`);
    }
  }

  private tryRead(path: string): CachedAttachment | undefined {
    try {
      const object = parseObject(readFileSync(path, "utf8"), path);
      return object.get("kind") === KIND ? decode(object) : undefined;
    } catch (_) {
      return undefined;
    }
  }

  private path(network: string, id: AttachmentId): string {
    if (network === "" || id.containerId === "" || id.ifName === "") {
      throw new CniError(
        ErrorCode.InvalidEnvironment,
        `cache file path requires network name ("${network}"), container ID ("${id.containerId}"), and interface name ("${id.ifName}")`,
      );
    }
    return `${this.directory}/${fileName(network, id)}`;
  }
}

function fileName(network: string, id: AttachmentId): string {
  return `${network}-${id.containerId}-${id.ifName}`;
}

function decode(object: JsonObject): CachedAttachment {
  const result = object.get("result");
  const config = fromBase64(object.text("config") ?? "") ?? new Uint8Array(0);
  return {
    network: object.text("networkName") ?? "",
    containerId: object.text("containerId") ?? "",
    ifName: object.text("ifName") ?? "",
    netns: object.text("netns") ?? "",
    args: argsAt(object),
    capabilityArgs: capabilityArgs(object.get("capabilityArgs")),
    config: new TextDecoder().decode(config),
    result: result === undefined ? "" : JSON.stringify(result),
  };
}

function argsAt(object: JsonObject): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  const value = object.get("cniArgs");
  if (!Array.isArray(value)) return pairs;
  for (const item of value as unknown[]) {
    if (!Array.isArray(item)) continue;
    const words: string[] = [];
    for (const word of item as unknown[]) if (typeof word === "string") words.push(word);
    if (words.length === 2) pairs.push([words[0] ?? "", words[1] ?? ""]);
  }
  return pairs;
}
