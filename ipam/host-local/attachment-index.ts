/**
 * Which addresses an attachment may hold, found without reading every reservation: a file for each attachment, named after it,
 * with one address a line. Only a hint: the reservation itself says who holds it. Used by the store, under its lock.
 *
 * The index is complete as long as nobody else has changed the directory of reservations. To know that, the directory's time of
 * modification is set to one in the past after each change of ours, and `complete` names that time, the directory and the boot:
 * any other program's change, an interrupted one of ours, or a power failure shows, and the index is made anew.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Address } from "../../pkg/ip/address.ts";
import { stampModificationTime } from "../../pkg/linux/modification-time.ts";
import { readIfThere, removeIfThere, replaceFile } from "./files.ts";
import type { Owner, Reservation } from "./reservation.ts";
import { compareTexts, SortedTexts } from "./sorted-texts.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** File names may have 255 bytes, container ids any number. Attachments whose names are cut alike share a file. */
const NAME_LIMIT = 200;
/** How far back the directory's time is set: no later change can bear it. */
const STAMP_AGE_SECONDS = 10;
/** Temporary files that a killed process left are older than any call lasts. */
const ABANDONED_MS = 600_000;

/** The name of an attachment's file, or `undefined` for one that no call can ask for. */
function fileNameOf(owner: Owner): string | undefined {
  const name = `${owner.ifName}@${owner.containerId}`;
  return name.includes("/") || name.includes("\0") ? undefined : name.slice(0, NAME_LIMIT);
}

export class AttachmentIndex {
  /** Where the files are; also for temporary files, which lie on the reservations' own file system. */
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
    replaceFile(this.markPath, markText(inode, seconds), this.directory);
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
    replaceFile(path, `${known}${address.toString()}\n`, this.directory);
  }

  remove(owner: Owner, address: Address): void {
    const path = this.pathOf(owner);
    if (path === undefined) return;
    const left = parseAddresses(readIfThere(path) ?? "").filter((each) => !each.equals(address));
    if (left.length === 0) removeIfThere(path);
    else replaceFile(path, formatAddresses(left), this.directory);
  }

  /** Makes the files say exactly what the reservations say. */
  rebuild(reservations: readonly Reservation[]): void {
    const wanted = hintsFor(reservations);
    const wantedNames = new SortedTexts(wanted.map((hint): string => hint.name));
    const names = readdirSync(this.directory);
    const present = new SortedTexts(names);
    for (const name of names) {
      if (name.includes("@") && !wantedNames.has(name)) removeIfThere(`${this.directory}/${name}`);
      if (name.startsWith("new-")) this.removeAbandoned(name);
    }
    for (const { name, text } of wanted) {
      const path = `${this.directory}/${name}`;
      // Straight to its place, which is twice as fast: until all is done the index does not count as complete.
      if (!present.has(name) || readIfThere(path) !== text) writeFileSync(path, text, { mode: 0o600 });
    }
  }

  private removeAbandoned(name: string): void {
    const path = `${this.directory}/${name}`;
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) removeIfThere(path);
  }

  private get markPath(): string {
    return `${this.directory}/complete`;
  }

  private pathOf(owner: Owner): string | undefined {
    const name = fileNameOf(owner);
    return name === undefined ? undefined : `${this.directory}/${name}`;
  }
}

/** A file of the index. */
interface Hint {
  readonly name: string;
  readonly text: string;
}

/** The files that the index should consist of, by name; each name once. */
function hintsFor(reservations: readonly Reservation[]): Hint[] {
  const lines: Hint[] = [];
  for (const { owner, address } of reservations) {
    const name = fileNameOf(owner);
    if (name !== undefined) lines.push({ name, text: `${address.toString()}\n` });
  }
  const hints: Hint[] = [];
  let name = "";
  let text = "";
  for (const line of lines.toSorted((one, other): number => compareTexts(one.name, other.name))) {
    if (line.name !== name && name !== "") hints.push({ name, text });
    text = line.name === name ? text + line.text : line.text;
    name = line.name;
  }
  if (name !== "") hints.push({ name, text });
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
