/**
 * Which addresses an attachment may hold, found without reading every reservation: a file for each attachment, named after it,
 * with one address a line. Only a hint: the reservation itself says who holds it. Used by the store, under its lock.
 *
 * The index is complete as long as nobody else has changed the directory of reservations. To know that, the directory's time of
 * modification is set to one in the past after each change of ours, and `complete` names that time, the directory and the boot:
 * any other program's change, an interrupted one of ours, or a power failure shows, and the index is made anew.
 *
 *   complete         what the index knows
 *   eth0@4f2a        the addresses of container 4f2a's eth0
 *   eth0@4f2a~new    the record that its ADD in flight will link its addresses to; DEL, GC and the next ADD remove a dead one's
 *   next             what is about to become one of the others, or a last_reserved_ip
 *   damaged-10.1.0.5 a reservation that named nobody
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { textDigest } from "../../pkg/codec/sha512.ts";
import { Address } from "../../pkg/ip/address.ts";
import { stampModificationTime } from "../../pkg/linux/modification-time.ts";
import { createSynced, replaceUnsynced } from "../../pkg/linux/replace-file.ts";
import { isIdentifier } from "../../spec/names.ts";
import { hasCode, modifiedIfThere, readIfThere, removeIfThere } from "./files.ts";
import { formatOwner, type Owner, type Reservation } from "./reservation.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** File names may have 255 bytes, container ids any number: longer names end in a digest of the whole. */
const NAME_LIMIT = 200;
/** No container id may contain this character: it keeps our own endings apart from names. */
const MARK = "~";
const RECORD_ENDING = `${MARK}new`;
/** How far back the directory's time is set: no later change can bear it. */
const STAMP_AGE_SECONDS = 10;
/** Records that killed processes left, and that no DEL asked for, are older than any call lasts. */
const ABANDONED_MS = 600_000;

/** The name of an attachment's file, or `undefined` for one that no call can ask for. */
function fileNameOf(owner: Owner): string | undefined {
  const name = `${owner.ifName}@${owner.containerId}`;
  if (!isIdentifier(owner.containerId) || name.includes("/") || name.includes("\0")) return undefined;
  return name.length <= NAME_LIMIT ? name : `${name.slice(0, NAME_LIMIT)}${MARK}${digest(name)}`;
}

function digest(text: string): string {
  return textDigest(text, 16);
}

export class AttachmentIndex {
  /** Where the files are, on the reservations' own file system. */
  readonly directory: string;
  private readonly reservations: string;

  private constructor(directory: string, reservations: string) {
    this.directory = directory;
    this.reservations = reservations;
  }

  /** Beside the reservations, where the reference suite does not read; among them only where they are a mount of their own. */
  static open(dataDir: string, network: string): AttachmentIndex {
    const reservations = `${dataDir}/${network}`;
    const beside = `${dataDir}/.ferrule/${network}`;
    mkdirSync(beside, { recursive: true, mode: 0o700 });
    if (statSync(beside).dev === statSync(reservations).dev) return new AttachmentIndex(beside, reservations);
    const inside = `${reservations}/.ferrule`;
    mkdirSync(inside, { recursive: true, mode: 0o700 });
    return new AttachmentIndex(inside, reservations);
  }

  /** Whether the index knows every reservation. */
  get complete(): boolean {
    const directory = statSync(this.reservations);
    return readIfThere(this.markPath) === markText(directory.ino, directory.mtimeMs / 1000);
  }

  /** Says that the index knows every reservation, as it is now. */
  markComplete(): void {
    const inode = statSync(this.reservations).ino;
    const seconds = Math.floor(Date.now() / 1000) - STAMP_AGE_SECONDS;
    this.replace(this.markPath, markText(inode, seconds));
    stampModificationTime(this.reservations, seconds);
  }

  /** The same after a change to a directory that was known completely; `mtimeMs` is what it was. */
  keepComplete(mtimeMs: number): void {
    stampModificationTime(this.reservations, mtimeMs / 1000);
  }

  addressesOf(owner: Owner): Address[] {
    const path = this.pathOf(owner);
    return path === undefined ? [] : parseAddresses(readIfThere(path) ?? "");
  }

  add(owner: Owner, address: Address): void {
    const path = this.pathOf(owner);
    if (path === undefined) return;
    const known = readIfThere(path) ?? "";
    this.replace(path, `${known}${address.toString()}\n`);
  }

  remove(owner: Owner, address: Address): void {
    const path = this.pathOf(owner);
    if (path === undefined) return;
    const left = parseAddresses(readIfThere(path) ?? "").filter((each) => !each.equals(address));
    if (left.length === 0) removeIfThere(path);
    else this.replace(path, formatAddresses(left));
  }

  /** Makes the files say exactly what the reservations say, and removes what calls that were killed have left half done. */
  rebuild(reservations: readonly Reservation[]): void {
    const wanted = hintsFor(reservations);
    const present = new Set<string>();
    for (const name of readdirSync(this.directory)) {
      present.add(name);
      if (name.endsWith(RECORD_ENDING)) this.removeAbandoned(name);
      else if (name.includes("@") && !wanted.has(name)) removeIfThere(`${this.directory}/${name}`);
    }
    removeIfThere(this.nextPath);
    for (const [name, text] of wanted) {
      const path = `${this.directory}/${name}`;
      // Straight to its place, which is twice as fast: until all is done the index does not count as complete.
      if (!present.has(name) || readIfThere(path) !== text) writeFileSync(path, text, { mode: 0o600 });
    }
  }

  /** Replaces a file on the index's file system; two at once disturb each other. For what a power failure may take. */
  replace(path: string, text: string): void {
    replaceUnsynced(path, text, 0o600, this.nextPath);
  }

  /** Writes the record that an attachment's addresses are linked to, on disk when this returns; its path. */
  createRecord(owner: Owner): string {
    const path = this.recordPathOf(owner);
    try {
      createSynced(path, formatOwner(owner), 0o600);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
      // A runtime has one call for an attachment at a time: this is of one that was killed. Its addresses may be links to it.
      removeIfThere(path);
      createSynced(path, formatOwner(owner), 0o600);
    }
    return path;
  }

  /** What a killed ADD of the attachment has left. */
  removeRecord(owner: Owner): void {
    removeIfThere(this.recordPathOf(owner));
  }

  /** The same for all attachments but those named. */
  removeRecordsExcept(owners: readonly Owner[]): void {
    const kept = new Set<string>();
    for (const owner of owners) kept.add(this.recordPathOf(owner));
    for (const name of readdirSync(this.directory)) {
      const path = `${this.directory}/${name}`;
      if (name.endsWith(RECORD_ENDING) && !kept.has(path)) removeIfThere(path);
    }
  }

  private removeAbandoned(name: string): void {
    const path = `${this.directory}/${name}`;
    const writtenMs = modifiedIfThere(path);
    if (writtenMs !== undefined && Date.now() - writtenMs > ABANDONED_MS) removeIfThere(path);
  }

  private recordPathOf(owner: Owner): string {
    return `${this.directory}/${fileNameOf(owner) ?? ""}${RECORD_ENDING}`;
  }

  private get nextPath(): string {
    return `${this.directory}/next`;
  }

  private get markPath(): string {
    return `${this.directory}/complete`;
  }

  private pathOf(owner: Owner): string | undefined {
    const name = fileNameOf(owner);
    return name === undefined ? undefined : `${this.directory}/${name}`;
  }
}

/** The files that the index should consist of: their texts by their names. */
function hintsFor(reservations: readonly Reservation[]): Map<string, string> {
  const hints = new Map<string, string>();
  for (const { owner, address } of reservations) {
    const name = fileNameOf(owner);
    if (name !== undefined) hints.set(name, `${hints.get(name) ?? ""}${address.toString()}\n`);
  }
  return hints;
}

function markText(inode: number, seconds: number): string {
  return `${readFileSync(BOOT_ID, "utf8").trim()} ${inode} ${seconds}\n`;
}

function parseAddresses(text: string): Address[] {
  const addresses: Address[] = [];
  for (const line of text.split("\n")) {
    const address = Address.parse(line);
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}

function formatAddresses(addresses: readonly Address[]): string {
  const lines: string[] = [];
  for (const address of addresses) lines.push(`${address.toString()}\n`);
  return lines.join("");
}
