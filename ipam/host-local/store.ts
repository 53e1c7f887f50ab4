/**
 * The reservations of one network as files, in the reference suite's format, so that both suites can work on one directory:
 *
 *   <dataDir>/<network>/10.1.0.5              who holds the address (reservation.ts)
 *   <dataDir>/<network>/last_reserved_ip.0    the address that range set 0 gave last
 *   <dataDir>/<network>/lock                  locked (flock) by whoever reads or writes the others
 *   <dataDir>/.ferrule/<network>/             our index by attachment (attachment-index.ts)
 */
import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { Address } from "../../pkg/ip/address.ts";
import { FileLock } from "../../pkg/linux/file-lock.ts";
import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import { AttachmentIndex } from "./attachment-index.ts";
import { isDirectory, linkIfFree, readIfThere, removeIfThere } from "./files.ts";
import { type Owner, parseOwner, type Reservation, sameOwner } from "./reservation.ts";

/** Of the lock file, as the reference suite makes it. */
export const LOCK_MODE = 0o750;

/** Who holds an address, and since when. */
export interface Holder {
  readonly owner: Owner;
  readonly ageSeconds: number;
}

/** An open store holds the network's lock; close it soon. */
export class ReservationStore {
  private readonly directory: string;
  private readonly index: AttachmentIndex;
  private readonly lock: FileLock;
  private readonly warn: (line: string) => void;
  /** The record that addresses are linked to, written before the lock was taken; empty when nothing is to be reserved. */
  private readonly record: string;
  private readonly recordOwner: Owner;
  /** The directory's time while the index knows every reservation; below zero otherwise. */
  private completeMs = -1;
  private changed = false;
  /** What `reserve` has given. */
  private given: Address[] = [];

  private constructor(
    directory: string,
    index: AttachmentIndex,
    lock: FileLock,
    record: string,
    recordOwner: Owner,
    warn: (line: string) => void,
  ) {
    this.directory = directory;
    this.index = index;
    this.lock = lock;
    this.record = record;
    this.recordOwner = recordOwner;
    this.warn = warn;
    this.resumeIndex();
  }

  /**
   * Makes the directory when missing and waits for its lock. The owner's record is written and synced before, so that nobody
   * else waits for the disk. @throws Interrupted naming who holds the lock when the call's time is up; file errors
   */
  static openFor(owner: Owner, dataDir: string, network: string, warn: (line: string) => void): ReservationStore {
    mkdirSync(`${dataDir}/${network}`, { recursive: true, mode: 0o755 });
    const index = AttachmentIndex.open(dataDir, network);
    const record = index.createRecord(owner);
    try {
      const lock = FileLock.acquire(lockPath(dataDir, network), `reserve an address of ${network}`, LOCK_MODE);
      return new ReservationStore(`${dataDir}/${network}`, index, lock, record, owner, warn);
    } catch (error) {
      removeIfThere(record);
      throw error;
    }
  }

  /** The store of a network that has reservations, or `undefined` when nothing was ever reserved. @throws as openFor */
  static find(dataDir: string, network: string, warn: (line: string) => void): ReservationStore | undefined {
    if (!isDirectory(`${dataDir}/${network}`)) return undefined;
    const index = AttachmentIndex.open(dataDir, network);
    const lock = FileLock.acquire(lockPath(dataDir, network), `read the reservations of ${network}`, LOCK_MODE);
    return new ReservationStore(`${dataDir}/${network}`, index, lock, "", { containerId: "", ifName: "" }, warn);
  }

  /**
   * Lets the next one in. What was changed is known to be in the index only from here on. Never throws: what it leaves undone
   * costs the next call time, and harms nobody.
   */
  close(): void {
    try {
      if (this.record !== "") removeIfThere(this.record);
      if (this.changed && this.completeMs >= 0) this.index.keepComplete(this.completeMs);
    } catch (error) {
      this.warnOfIndex("written", error);
    } finally {
      this.lock.release();
    }
  }

  /** The addresses that an attachment holds, by the reservations themselves; found through the index. */
  addressesOf(owner: Owner): Address[] {
    const hints = this.hintsFor(owner);
    const found: Address[] = [];
    for (const address of hints ?? []) {
      const holder = this.ownerOf(address);
      if (holder !== undefined && sameOwner(holder, owner)) found.push(address);
    }
    if (hints !== undefined) return found;
    for (const reservation of this.all()) if (sameOwner(reservation.owner, owner)) found.push(reservation.address);
    return found;
  }

  /** Who holds an address; `undefined` when it is free. */
  holderOf(address: Address): Holder | undefined {
    const owner = this.ownerOf(address);
    if (owner === undefined) return undefined;
    const ageMs = Date.now() - statSync(this.pathOf(address)).mtimeMs;
    return { owner, ageSeconds: Math.max(0, Math.floor(ageMs / 1000)) };
  }

  /**
   * Reserves an address for the owner that the store was opened for; false when it is taken.
   * @throws CniError 5 when a file cannot be written; `takeBack` is to be called then
   */
  reserve(address: Address, setIndex: number): boolean {
    try {
      if (!linkIfFree(this.record, this.pathOf(address))) return false;
      this.given.push(address);
      this.follow((): void => this.index.add(this.recordOwner, address));
      this.index.replace(this.lastPath(setIndex), address.toString());
      return true;
    } catch (error) {
      throw new CniError(
        ErrorCode.Io,
        `Cannot reserve ${address.toString()} in ${this.directory}: ${messageOf(error)}`,
        "its file system must have room and be writable",
      );
    }
  }

  /** Releases all that `reserve` has given; what could not be released. Never throws. */
  takeBack(): string[] {
    const failures: string[] = [];
    for (const address of this.given) {
      try {
        this.release(address, this.recordOwner);
      } catch (error) {
        failures.push(`${address.toString()} stays reserved: ${messageOf(error)}`);
      }
    }
    this.given = [];
    return failures;
  }

  /** Frees an address of `owner`; one that is free already is success, one that is another's is left alone. */
  release(address: Address, owner: Owner): void {
    const holder = this.ownerOf(address);
    if (holder === undefined || !sameOwner(holder, owner)) return;
    removeIfThere(this.pathOf(address));
    this.follow((): void => this.index.remove(owner, address));
  }

  /** Removes what a killed ADD of the attachment has left beside the reservations. */
  removeLeftovers(owner: Owner): void {
    this.index.removeRecord(owner);
  }

  /** The same for all attachments but those named. */
  removeLeftoversExcept(owners: readonly Owner[]): void {
    this.index.removeRecordsExcept(owners);
  }

  /** The address that a range set gave last. */
  lastReserved(setIndex: number): Address | undefined {
    return Address.parse((readIfThere(this.lastPath(setIndex)) ?? "").trim());
  }

  /** Every reservation, from the files themselves: as slow as there are many. Damaged ones are set aside. */
  all(): Reservation[] {
    const found: Reservation[] = [];
    this.visit((reservation: Reservation): void => {
      found.push(reservation);
    });
    this.remakeIndex(found);
    return found;
  }

  /**
   * Releases every reservation whose owner is stale, each through `attempt`, which runs the removal it is given. The index follows
   * once, at the end, which for tens of thousands takes a third of the time.
   */
  collect(isStale: (owner: Owner) => boolean, attempt: (stale: Reservation, remove: () => void) => void): void {
    const left: Reservation[] = [];
    this.visit((reservation: Reservation): void => {
      let stays = true;
      if (isStale(reservation.owner)) {
        attempt(reservation, (): void => {
          removeIfThere(this.pathOf(reservation.address));
          stays = false;
        });
      }
      if (stays) left.push(reservation);
    });
    this.remakeIndex(left);
  }

  private visit(each: (reservation: Reservation) => void): void {
    for (const name of readdirSync(this.directory)) {
      const address = Address.parse(name);
      const text = address === undefined ? undefined : readIfThere(`${this.directory}/${name}`);
      if (address === undefined || text === undefined) continue;
      const owner = parseOwner(text);
      if (owner === undefined) this.setAside(name);
      else each({ address, owner });
    }
  }

  /** The names of all that is reserved: one look at the directory, no file is read. */
  taken(): Set<string> {
    const names = new Set<string>();
    for (const address of takenIn(this.directory)) names.add(address.toString());
    return names;
  }

  /** What the index knows of an attachment; `undefined` when it does not know everything. */
  private hintsFor(owner: Owner): Address[] | undefined {
    if (this.completeMs < 0) return undefined;
    try {
      return this.index.addressesOf(owner);
    } catch (error) {
      this.warnOfIndex("read", error);
      return undefined;
    }
  }

  /** Uses the index as an earlier call left it, where nothing else has happened since. */
  private resumeIndex(): void {
    try {
      if (this.index.complete) this.completeMs = statSync(this.directory).mtimeMs;
    } catch (error) {
      this.warnOfIndex("read", error);
    }
  }

  /** Without the index everything still works, only slower: a full disk must not keep an address from being released. */
  private remakeIndex(found: readonly Reservation[]): void {
    this.completeMs = -1;
    try {
      this.index.rebuild(found);
      this.index.markComplete();
      this.resumeIndex();
    } catch (error) {
      this.warnOfIndex("written", error);
    }
  }

  /** Keeps the index in step with a change; where that fails it counts as incomplete from here on. */
  private follow(step: () => void): void {
    const { completeMs } = this;
    this.completeMs = -1;
    try {
      step();
      this.completeMs = completeMs;
      this.changed = true;
    } catch (error) {
      this.warnOfIndex("written", error);
    }
  }

  private warnOfIndex(what: string, error: unknown): void {
    this.warn(`host-local: the index ${this.index.directory} cannot be ${what}: ${messageOf(error)}`);
  }

  /** An empty file is what a crash of the reference suite or of the machine leaves; nobody can hold its address. */
  private setAside(name: string): void {
    this.warn(`host-local: ${this.directory}/${name} names no container: a crash left it; the address is free again`);
    renameSync(`${this.directory}/${name}`, `${this.index.directory}/damaged-${name}`);
  }

  private ownerOf(address: Address): Owner | undefined {
    return parseOwner(readIfThere(this.pathOf(address)) ?? "");
  }

  private pathOf(address: Address): string {
    return `${this.directory}/${address.toString()}`;
  }

  private lastPath(setIndex: number): string {
    return `${this.directory}/last_reserved_ip.${setIndex}`;
  }
}

export function lockPath(dataDir: string, network: string): string {
  return `${dataDir}/${network}/lock`;
}

/** The addresses that a directory has reservations of, by the names of its files. */
export function takenIn(directory: string): Address[] {
  const addresses: Address[] = [];
  for (const name of readdirSync(directory)) {
    const address = Address.parse(name);
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}
