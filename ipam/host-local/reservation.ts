/** What an address's file says: who holds the address. The format is the reference suite's. Pure. */
import type { Address } from "../../pkg/ip/address.ts";

/** One interface of one container; files of old releases name the container alone, and `ifName` is empty. */
export interface Owner {
  readonly containerId: string;
  readonly ifName: string;
}

export interface Reservation {
  readonly address: Address;
  readonly owner: Owner;
}

/** The file's text: the container, CR LF, the interface; nothing after it. */
export function formatOwner(owner: Owner): string {
  return owner.ifName === "" ? owner.containerId : `${owner.containerId}\r\n${owner.ifName}`;
}

/** Reads a file's text, white space around it ignored; `undefined` when a crash has left it empty or full of zeros. */
export function parseOwner(text: string): Owner | undefined {
  const lines = text.trim().split("\n");
  const containerId = (lines.at(0) ?? "").trim();
  if (containerId === "" || containerId.includes("\0")) return undefined;
  return { containerId, ifName: (lines.at(1) ?? "").trim() };
}

export function sameOwner(one: Owner, other: Owner): boolean {
  return one.containerId === other.containerId && one.ifName === other.ifName;
}

/** "container 4f2a (eth0)", for messages. */
export function describeOwner(owner: Owner): string {
  return owner.ifName === "" ? `container ${owner.containerId}` : `container ${owner.containerId} (${owner.ifName})`;
}
