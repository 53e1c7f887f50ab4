/**
 * What the delegate of an attachment was called with, kept until DEL: the original plugin's files, so that either can delete what
 * the other added.
 *
 *   <dataDir>/<container>                  the delegate's configuration, and whose it is
 *   <dataDir>/<container>@<attachment>     the same of another interface or network of that container
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { isFileError } from "../../pkg/linux/errno.ts";
import { removeUnfinished, replaceFile } from "../../pkg/linux/replace-file.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { JsonObject } from "../../spec/json.ts";
import { JsonMembers } from "../../spec/json-members.ts";

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** The member that says whose a record is: the delegate never sees it, and the original's delegate does not know it. */
const OWNER = "ferrule";

/** What a record says. */
export interface Remembered {
  readonly path: string;
  /** The delegate's configuration. */
  readonly text: string;
  readonly type: string;
  readonly network: string;
  readonly containerId: string;
  /** Empty in the original's records. */
  readonly ifName: string;
}

/** The records of one attachment. */
export class DelegateRecord {
  private readonly directory: string;
  private readonly attachment: Attachment;
  private readonly warn: (line: string) => void;

  constructor(directory: string, attachment: Attachment, warn: (line: string) => void) {
    this.directory = directory;
    this.attachment = attachment;
    this.warn = warn;
  }

  /** `undefined` when there is none of this attachment. A damaged one is set aside. @throws file errors */
  find(): Remembered | undefined {
    for (const path of [this.ownPath, this.sharedPath]) {
      const remembered = readRecord(path, this.warn);
      if (remembered !== undefined && this.isOurs(remembered)) return remembered;
    }
    return undefined;
  }

  /**
   * Replaces the attachment's record; another attachment's stays, and so does the original's, which may be another interface's.
   * @throws file errors; nothing is changed then
   */
  write(text: string): void {
    mkdirSync(this.directory, { recursive: true, mode: DIRECTORY_MODE });
    const shared = readRecord(this.sharedPath, this.warn);
    const isFree = shared === undefined || (this.isOurs(shared) && shared.ifName !== "");
    const path = isFree && readRecord(this.ownPath, this.warn) === undefined ? this.sharedPath : this.ownPath;
    replaceFile(path, this.signed(text), FILE_MODE);
  }

  /** Makes it what it was: that record, or none. @throws file errors */
  putBack(earlier: Remembered | undefined): void {
    const now = this.find();
    if (now !== undefined && now.path !== earlier?.path) removeRecord(now);
    if (earlier !== undefined)
      replaceFile(earlier.path, earlier.ifName === "" ? earlier.text : this.signed(earlier.text), FILE_MODE);
    else this.removeUnfinished();
  }

  /** With what a killed ADD may have left of a new one; absence is success. @throws file errors */
  remove(): void {
    const remembered = this.find();
    if (remembered !== undefined) removeRecord(remembered);
    this.removeUnfinished();
  }

  private removeUnfinished(): void {
    for (const path of [this.ownPath, this.sharedPath]) removeUnfinished(path);
  }

  private get sharedPath(): string {
    return `${this.directory}/${this.attachment.containerId}`;
  }

  /** No container's identifier has an @. */
  private get ownPath(): string {
    return `${this.sharedPath}@${this.attachment.key}`;
  }

  private isOurs(remembered: Remembered): boolean {
    const { network, ifName } = this.attachment;
    return remembered.network === network && (remembered.ifName === "" || remembered.ifName === ifName);
  }

  private signed(text: string): string {
    const value: unknown = JSON.parse(text);
    const object = JsonObject.of(value);
    const members = object === undefined ? new JsonMembers() : JsonMembers.of(object);
    const { containerId, ifName, network } = this.attachment;
    const owner = new JsonMembers().setText("containerId", containerId).setText("ifName", ifName);
    return members.set(OWNER, owner.setText("network", network).toString()).toString();
  }
}

/** The paths of all that looks like a record; none when there is no such directory. @throws file errors */
export function recordPaths(directory: string): string[] {
  const paths: string[] = [];
  for (const name of namesIn(directory)) {
    if (!name.startsWith(".") && !name.endsWith(DAMAGED)) paths.push(`${directory}/${name}`);
  }
  return paths;
}

/** `undefined` when it is gone, or no file. A damaged one is set aside. @throws file errors */
export function readRecord(path: string, warn: (line: string) => void): Remembered | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isFileError(error, "ENOENT") || isFileError(error, "EISDIR")) return undefined;
    throw error;
  }
  const remembered = parseRecord(text, path);
  if (remembered !== undefined) return remembered;
  renameSync(path, `${path}${DAMAGED}`);
  warn(`flannel: ${path} is damaged, and now ${path}${DAMAGED}: the delegate is called with what is configured now`);
  return undefined;
}

/** Absence is success. @throws file errors */
export function removeRecord(remembered: Remembered): void {
  rmSync(remembered.path, { force: true });
}

const DAMAGED = "@damaged";

/** `undefined` when the text is no configuration of a delegate. */
export function parseRecord(text: string, path: string): Remembered | undefined {
  let object: JsonObject | undefined;
  try {
    const value: unknown = JSON.parse(text);
    object = JsonObject.of(value);
  } catch (_) {
    return undefined;
  }
  const type = object?.text("type");
  const network = object?.text("name");
  if (object === undefined || type === undefined || network === undefined) return undefined;
  const fileName = path.slice(path.lastIndexOf("/") + 1);
  const end = fileName.indexOf("@");
  return {
    path,
    text: JsonMembers.of(object).remove(OWNER).toString(),
    type,
    network,
    containerId: end < 0 ? fileName : fileName.slice(0, end),
    ifName: JsonObject.of(object.get(OWNER))?.text("ifName") ?? "",
  };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isFileError(error, "ENOENT")) return [];
    throw error;
  }
}
