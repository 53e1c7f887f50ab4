/** Reserves one address of each range set for an attachment: all of them or none. */
import type { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { toCniError } from "../../pkg/skel/cni-error.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig } from "../../spec/result.ts";
import { type Candidate, Candidates } from "./allocator.ts";
import type { RangeSet } from "./range.ts";
import { describeOwner, type Owner } from "./reservation.ts";
import type { Holder, ReservationStore } from "./store.ts";

/** After so many taken addresses in a row one look at the directory is cheaper than trying on. */
const TRIES = 64;
/** What helps against an exhausted range set. */
export const RELIEF = "delete containers, have the runtime collect (GC) what deleted ones left, or enlarge the range";

export interface Wish {
  readonly owner: Owner;
  readonly sets: readonly RangeSet[];
  /** For each set the address asked for. */
  readonly requested: readonly (Address | undefined)[];
  /** Whether an address that the attachment holds already was left by an ADD that did not come to its end. */
  readonly isLeftover: (address: Address) => boolean;
}

/** @throws CniError 100 when a set is exhausted, 101 when an address is taken; nothing new is reserved then */
export function reserveAll(store: ReservationStore, wish: Wish): IpConfig[] {
  const held = store.addressesOf(wish.owner);
  const ips: IpConfig[] = [];
  try {
    for (const [index, set] of wish.sets.entries()) {
      const { address, range } = reserveOne(store, wish, index, set, held);
      ips.push({ address: new Prefix(address, range.subnet.length), gateway: range.gateway, interface: undefined });
    }
  } catch (error) {
    const failures = store.takeBack();
    if (failures.length === 0) throw error;
    throw toCniError(error).withDetails(failures.join("; "));
  }
  return ips;
}

function reserveOne(
  store: ReservationStore,
  wish: Wish,
  index: number,
  set: RangeSet,
  held: readonly Address[],
): Candidate {
  try {
    const wanted = wish.requested.at(index);
    const kept = wanted === undefined ? keepHeld(store, wish, set, held) : keepWanted(wish, set, held, wanted);
    if (kept !== undefined) return kept;
    return wanted === undefined ? takeNext(store, index, set) : takeWanted(store, index, set, wanted);
  } catch (error) {
    if (error instanceof CniError) throw error.during(`failed to allocate for range ${index}`);
    throw error;
  }
}

/** The address that a crashed ADD of the same attachment has left in this set. @throws CniError 101 when it is in use */
function keepHeld(store: ReservationStore, wish: Wish, set: RangeSet, held: readonly Address[]): Candidate | undefined {
  const address = held.find((each) => set.contains(each));
  const range = address === undefined ? undefined : set.find(address);
  if (address === undefined || range === undefined) return undefined;
  if (wish.isLeftover(address)) return { address, range };
  throw new CniError(
    ErrorCode.Taken,
    `${address.toString()} has been allocated to ${wish.owner.containerId}, duplicate allocation is not allowed`,
    `${heldBy(store.holderOf(address))}; DEL of the container releases it`,
  );
}

function keepWanted(wish: Wish, set: RangeSet, held: readonly Address[], wanted: Address): Candidate | undefined {
  const range = set.find(wanted);
  if (range === undefined || !held.some((each) => each.equals(wanted)) || !wish.isLeftover(wanted)) return undefined;
  return { address: wanted, range };
}

function takeWanted(store: ReservationStore, index: number, set: RangeSet, wanted: Address): Candidate {
  const range = set.find(wanted);
  if (range !== undefined && store.reserve(wanted, index)) return { address: wanted, range };
  throw new CniError(
    ErrorCode.Taken,
    `requested IP address ${wanted.toString()} is not available in range set ${set.toString()}`,
    heldBy(store.holderOf(wanted)),
  );
}

function takeNext(store: ReservationStore, index: number, set: RangeSet): Candidate {
  const candidates = new Candidates(set, store.lastReserved(index));
  let tries = 0;
  let taken = new Set<string>();
  for (let next = candidates.next(); next !== undefined; next = candidates.next()) {
    if (!taken.has(next.address.toString()) && store.reserve(next.address, index)) return next;
    tries += 1;
    if (tries === TRIES) taken = store.taken();
  }
  const total = set.capacity.toString();
  throw new CniError(
    ErrorCode.PoolExhausted,
    `no IP addresses available in range set: ${set.toString()}`,
    `every address of range set ${index} (${total} in all) is reserved: ${RELIEF}`,
  );
}

function heldBy(holder: Holder | undefined): string {
  if (holder === undefined) return "held by nobody known";
  return `held by ${describeOwner(holder.owner)} for ${ageText(holder.ageSeconds)}`;
}

/** "40 seconds", "3 minutes", "5 hours", "2 days": rounded down. */
export function ageText(seconds: number): string {
  const units: readonly (readonly [number, string])[] = [
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
  ];
  for (const [size, name] of units) if (seconds >= size) return counted(Math.floor(seconds / size), name);
  return counted(seconds, "second");
}

function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
