/** What an attachment puts into the sets and maps. Used by portmap.ts, which plans, and mappings.ts, which does it. */
import type { Prefix } from "../../pkg/ip/prefix.ts";
import {
  addressDatum,
  type Datum,
  interfaceDatum,
  ownerDatum,
  portDatum,
  protocolDatum,
} from "../../pkg/nftables/datum.ts";
import { element, mapping as mapElement, type Placed } from "../../pkg/nftables/element.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { addressed, all, LOCAL, LOCALNET, neighbourSet, OWNERS, ports, self } from "./sets.ts";
import { protocolNumber, specificAddress, type Target } from "./targets.ts";

/** What the options say about masquerading. */
export interface MasqueradeOptions {
  readonly snat: boolean;
  readonly masqAll: boolean;
}

/** What is kept with an owner's element. */
export interface OwnerNote {
  /** How many elements the owner has in all sets and maps, its own included. */
  readonly count: number;
  /** Its network namespace, see identity.ts. */
  readonly identity: string;
}

/** The owner's own element: 16 bytes of hash, and a note. */
export function ownerElement(attachment: Attachment, note: OwnerNote): Placed {
  const own = new TextEncoder().encode(`${note.count} ${note.identity}`);
  return { set: OWNERS, element: element([ownerDatum(attachment.key)], { comment: attachment.tag, own }) };
}

/** The note as the kernel gives it back. */
export function ownerNote(own: Uint8Array | undefined): OwnerNote {
  const text = new TextDecoder().decode(own ?? new Uint8Array(0));
  const blank = text.indexOf(" ");
  if (blank < 0) return { count: 0, identity: "" };
  return { count: Number(text.slice(0, blank)), identity: text.slice(blank + 1) };
}

/** The element of an owner by the key that tags begin with: to be looked up. */
export function ownerKey(key: string): Placed {
  return { set: OWNERS, element: element([ownerDatum(key)]) };
}

/** An interface whose route_localnet we turned on; with a tag where it is a container's own. */
export function localnetElement(name: string, tag?: string): Placed {
  return { set: LOCALNET, element: element([interfaceDatum(name)], tag === undefined ? {} : { comment: tag }) };
}

/** The map's element of a mapping without conditions. */
export function portElement(target: Target, tag: string): Placed {
  const { mapping, container } = target;
  const key = [protocolDatum(protocolNumber(mapping.protocol)), portDatum(mapping.hostPort)];
  const data = [addressDatum(container.address), portDatum(mapping.containerPort)];
  const address = specificAddress(mapping);
  if (address === undefined) return { set: ports(container.family), element: mapElement(key, data, { comment: tag }) };
  return {
    set: addressed(container.family),
    element: mapElement([addressDatum(address), ...key], data, { comment: tag }),
  };
}

/** What makes the mappings' connections masqueraded where they must be. */
export function masqueradeElements(targets: readonly Target[], options: MasqueradeOptions, tag: string): Placed[] {
  const placed: Placed[] = [];
  const keys: string[] = [];
  const add = (set: string, key: readonly Datum[]): void => {
    const each: Placed = { set, element: element(key, { comment: tag }) };
    const text = `${set} ${each.element.key.text}`;
    if (!keys.includes(text)) placed.push(each);
    keys.push(text);
  };
  if (!options.snat) return placed;
  for (const { mapping, container } of targets) {
    const address = addressDatum(container.address);
    const protocol = protocolDatum(protocolNumber(mapping.protocol));
    const mapped = [address, protocol, portDatum(mapping.containerPort), portDatum(mapping.hostPort)];
    if (options.masqAll) {
      add(all(container.family), mapped);
      continue;
    }
    add(self(container.family), [address, address]);
    if (container.family === 4) add(LOCAL, mapped);
    if (container.length < container.address.bits) add(neighbourSet(container).name, mapped);
  }
  return placed;
}

/** The subnets that masqueradeElements() needs sets for. */
export function neighbourSubnets(targets: readonly Target[], options: MasqueradeOptions): Prefix[] {
  const subnets: Prefix[] = [];
  if (!options.snat || options.masqAll) return subnets;
  for (const { container } of targets) {
    if (container.length === container.address.bits) continue;
    if (!subnets.some((each) => each.equals(container.masked))) subnets.push(container.masked);
  }
  return subnets;
}
