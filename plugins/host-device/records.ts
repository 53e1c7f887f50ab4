/**
 * The records of devices that are in containers, one file each: /var/lib/cni/host-device/<attachment's key>.json. Written before a device
 * leaves the host, removed when the host has it back.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { isFileError } from "../../pkg/linux/errno.ts";
import { FileLock } from "../../pkg/linux/file-lock.ts";
import { removeUnfinished, replaceFile } from "../../pkg/linux/replace-file.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import { CniError, messageOf } from "../../spec/errors.ts";
import type { FormerState } from "./former-state.ts";
import { decodeState, encodeState } from "./state-document.ts";

const DIRECTORY = "/var/lib/cni/host-device";
const SUFFIX = ".json";
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o600;

export class DeviceRecords {
  private readonly warn: (line: string) => void;

  constructor(warn: (line: string) => void) {
    this.warn = warn;
  }

  /**
   * Runs `action` while no other call moves a device. Where there never was a record, there is nothing to wait for, unless one is to be
   * written (`creates`). @throws Interrupted naming who holds the lock; file errors
   */
  exclusively<T>(creates: boolean, action: () => T): T {
    if (creates) mkdirSync(DIRECTORY, { recursive: true, mode: DIRECTORY_MODE });
    else if (!existsSync(DIRECTORY)) return action();
    const lock = FileLock.acquire(`${DIRECTORY}/lock`, "move a device");
    try {
      return action();
    } finally {
      lock.release();
    }
  }

  /** Keeps a record, durably. @throws file errors */
  write(state: FormerState): void {
    replaceFile(pathOf(state.attachment), encodeState(state), FILE_MODE);
  }

  /** The record of an attachment, or `undefined`. A damaged one is set aside. @throws file errors */
  find(attachment: Attachment): FormerState | undefined {
    return this.read(`${attachment.key}${SUFFIX}`);
  }

  /** Removes what a killed ADD has left beside the records. */
  removeUnfinished(attachment: Attachment): void {
    removeUnfinished(pathOf(attachment));
  }

  /** Forgets an attachment; absence is success. @throws file errors */
  remove(attachment: Attachment): void {
    removeUnfinished(pathOf(attachment));
    rmSync(pathOf(attachment), { force: true });
  }

  /** All records, of all networks. Damaged ones are set aside. @throws file errors */
  all(): FormerState[] {
    const found: FormerState[] = [];
    for (const name of this.names()) {
      const state = this.read(name);
      if (state !== undefined) found.push(state);
    }
    return found;
  }

  private names(): string[] {
    try {
      const names = readdirSync(DIRECTORY).filter((name) => keyOfName(name) !== undefined);
      return names.toSorted((a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0));
    } catch (error) {
      if (isFileError(error, "ENOENT")) return [];
      throw error;
    }
  }

  private read(name: string): FormerState | undefined {
    const path = `${DIRECTORY}/${name}`;
    let text = "";
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (isFileError(error, "ENOENT")) return undefined;
      throw error;
    }
    try {
      return decodeState(text, path);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      this.setAside(name, error.words);
      return undefined;
    }
  }

  /** Out of the way, where a person can look at it: a damaged record must not keep a container from being deleted. */
  private setAside(name: string, reason: string): void {
    const away = `${DIRECTORY}/damaged-${name}`;
    try {
      renameSync(`${DIRECTORY}/${name}`, away);
      this.warn(`host-device: ${reason}; set aside as ${away}`);
    } catch (error) {
      this.warn(`host-device: ${reason}; it cannot be set aside: ${messageOf(error)}`);
    }
  }
}

function pathOf(attachment: Attachment): string {
  return `${DIRECTORY}/${attachment.key}${SUFFIX}`;
}

/** The attachment's key that a file is named after; `undefined` for other files. */
function keyOfName(name: string): string | undefined {
  return name.endsWith(SUFFIX) ? keyOfTag(name.slice(0, -SUFFIX.length)) : undefined;
}
