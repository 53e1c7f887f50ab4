/**
 * The files that remember what was there before tuning, where the reference suite has them, so that either can restore what the
 * other changed:  <dataDir>/<container>_<interface>.json
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { isFileError } from "../../pkg/linux/errno.ts";
import { removeUnfinished, replaceFile } from "../../pkg/linux/replace-file.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { type Backup, formatBackup, parseBackup } from "./backup.ts";

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const SUFFIX = ".json";

/** One attachment's file. */
export class BackupFile {
  readonly path: string;
  private readonly directory: string;
  private readonly warn: (line: string) => void;

  private constructor(directory: string, name: string, warn: (line: string) => void) {
    this.directory = directory;
    this.path = `${directory}/${name}`;
    this.warn = warn;
  }

  static of(directory: string, attachment: Attachment, warn: (line: string) => void): BackupFile {
    return new BackupFile(directory, `${attachment.containerId}_${attachment.ifName}${SUFFIX}`, warn);
  }

  /** Those of other attachments of what seems to be the same container. @throws file errors */
  static others(directory: string, attachment: Attachment, warn: (line: string) => void): BackupFile[] {
    const own = BackupFile.of(directory, attachment, warn);
    const files: BackupFile[] = [];
    for (const name of namesIn(directory)) {
      const file = new BackupFile(directory, name, warn);
      if (name.startsWith(`${attachment.containerId}_`) && file.path !== own.path) files.push(file);
    }
    return files;
  }

  /** All of a directory; none when there is no such directory. @throws file errors */
  static all(directory: string, warn: (line: string) => void): BackupFile[] {
    const files: BackupFile[] = [];
    for (const name of namesIn(directory)) files.push(new BackupFile(directory, name, warn));
    return files;
  }

  /** Removes what killed ADDs have left of new files, where it is enough to tell whose they were. @throws file errors */
  static collectUnfinished(directory: string, isStale: (owner: string) => boolean): void {
    for (const name of filesIn(directory)) {
      if (!name.startsWith(".") || !name.endsWith(`${SUFFIX}.new`)) continue;
      const path = `${directory}/${name}`;
      const backup = parseBackup(textOf(path) ?? "");
      if (backup !== undefined && isStale(backup.owner)) rmSync(path, { force: true });
    }
  }

  /** `undefined` when there is none. A damaged one is set aside, and nothing can be restored. @throws file errors */
  read(): Backup | undefined {
    const text = textOf(this.path);
    if (text === undefined) return undefined;
    const backup = parseBackup(text);
    if (backup !== undefined) return backup;
    renameSync(this.path, `${this.path}.damaged`);
    this.warn(`tuning: ${this.path} is damaged, and now ${this.path}.damaged: what it remembered cannot be restored`);
    return undefined;
  }

  /** The directory is made when missing. @throws file errors; the file is as it was then */
  write(backup: Backup): void {
    mkdirSync(this.directory, { recursive: true, mode: DIRECTORY_MODE });
    replaceFile(this.path, formatBackup(backup), FILE_MODE);
  }

  /** Makes it what it was: that record, or no file. @throws file errors */
  putBack(earlier: Backup | undefined): void {
    if (earlier === undefined) this.remove();
    else this.write(earlier);
  }

  /** With what a killed ADD may have left of a new one; absence is success. @throws file errors */
  remove(): void {
    removeUnfinished(this.path);
    rmSync(this.path, { force: true });
  }
}

/** `undefined` when there is no such file. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isFileError(error, "ENOENT")) return undefined;
    throw error;
  }
}

function namesIn(directory: string): string[] {
  return filesIn(directory).filter((name: string): boolean => name.endsWith(SUFFIX) && !name.startsWith("."));
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isFileError(error, "ENOENT")) return [];
    throw error;
  }
}
