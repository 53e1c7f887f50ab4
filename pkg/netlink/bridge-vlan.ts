/** The VLANs of bridge ports, and of bridges as such. Source: linux/if_bridge.h (IFLA_BRIDGE_*, BRIDGE_VLAN_INFO_*). */
import { type Codec, DecodeError, u16 } from "../codec/codec.ts";
import type { Path } from "../codec/path.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { AF_BRIDGE } from "../linux/headers/socket.ts";
import { Attributes, attribute, attributes } from "./attributes.ts";
import {
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from "./headers/rtnetlink.ts";
import { type Link, linkContent, linkHeader, linkIndexOf } from "./link.ts";
import { linkAttributes } from "./link-attributes.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

const PVID = 0x2;
const UNTAGGED = 0x4;
const RANGE_BEGIN = 0x8;
const RANGE_END = 0x10;
/** BRIDGE_FLAGS_SELF: the link itself, not as a port of its master. */
const SELF = 2;

export interface BridgeVlan {
  /** 1 to 4094. */
  readonly id: number;
  /** Untagged frames that come in belong to it; one VLAN of a port at most. */
  readonly pvid: boolean;
  /** Its frames leave without a tag. */
  readonly untagged: boolean;
}

/** struct bridge_vlan_info */
interface VlanInfo {
  readonly flags: number;
  readonly id: number;
}

const vlanInfo: Codec<VlanInfo> = {
  encode: (value: VlanInfo): Uint8Array => new Writer().u16(value.flags).u16(value.id).done(),
  decode: (bytes: Uint8Array, path: Path): VlanInfo => {
    if (bytes.length < 4) throw new DecodeError(path.toString(), `need 4 bytes, have ${bytes.length}`);
    const view = viewOf(bytes);
    return { flags: view.getUint16(0, true), id: view.getUint16(2, true) };
  },
};

/** IFLA_BRIDGE_* */
const bridgeOptionAttributes = attributes({
  flags: attribute(0, u16),
  vlan: attribute(2, vlanInfo),
});

/** The link's VLANs, ascending; none where it is in no bridge or the kernel lacks VLAN filtering. @throws KernelError */
export function listVlans(stack: NetworkStack, link: Link): BridgeVlan[] {
  const body = messageBody(
    linkHeader(0, AF_BRIDGE),
    new Attributes().set(linkAttributes.extensionMask, RTEXT_FILTER_BRVLAN_COMPRESSED),
  );
  for (const message of stack.route.dump(`list VLANs of ${link.name}`, RTM_GETLINK, body)) {
    if (message.type === RTM_NEWLINK && linkIndexOf(message.body) === link.index) return decodeVlans(message.body);
  }
  return [];
}

/** The VLANs that a message of family AF_BRIDGE tells. @throws DecodeError */
export function decodeVlans(body: Uint8Array): BridgeVlan[] {
  const options = linkContent(body).get(linkAttributes.familyOptions);
  const vlans: BridgeVlan[] = [];
  let begin = 0;
  for (const { flags, id } of options?.all(bridgeOptionAttributes.vlan) ?? []) {
    if ((flags & RANGE_BEGIN) !== 0) {
      begin = id;
      continue;
    }
    const first = (flags & RANGE_END) !== 0 ? begin : id;
    for (let each = first; each <= id; each++) {
      vlans.push({ id: each, pvid: (flags & PVID) !== 0, untagged: (flags & UNTAGGED) !== 0 });
    }
  }
  return vlans;
}

/** Adds VLANs to a port, or to a bridge; those it has take the new flags. @throws KernelError */
export function addVlans(stack: NetworkStack, link: Link, vlans: readonly BridgeVlan[]): void {
  if (vlans.length === 0) return;
  stack.route.request(`add VLANs to ${link.name}`, RTM_SETLINK, 0, encodeVlans(link, vlans));
}

/** Takes VLANs from a port, or from a bridge; absence is success. @throws KernelError */
export function deleteVlans(stack: NetworkStack, link: Link, vlans: readonly BridgeVlan[]): void {
  if (vlans.length === 0) return;
  stack.route.request(`delete VLANs of ${link.name}`, RTM_DELLINK, 0, encodeVlans(link, vlans));
}

/** The message of both; neighbouring VLANs with the same flags as one range, which may not hold the port's own. */
export function encodeVlans(link: Link, vlans: readonly BridgeVlan[]): Uint8Array {
  const options = new Attributes().set(bridgeOptionAttributes.flags, link.kind === "bridge" ? SELF : undefined);
  for (const range of ranges(vlans)) {
    if (range.first === range.last) {
      options.set(bridgeOptionAttributes.vlan, { flags: range.flags, id: range.first });
    } else {
      options.set(bridgeOptionAttributes.vlan, { flags: range.flags | RANGE_BEGIN, id: range.first });
      options.set(bridgeOptionAttributes.vlan, { flags: range.flags | RANGE_END, id: range.last });
    }
  }
  return messageBody(linkHeader(link.index, AF_BRIDGE), new Attributes().set(linkAttributes.familyOptions, options));
}

interface VlanRange {
  readonly flags: number;
  readonly first: number;
  readonly last: number;
}

function ranges(vlans: readonly BridgeVlan[]): VlanRange[] {
  const found: VlanRange[] = [];
  for (const vlan of vlans.toSorted((a, b) => a.id - b.id)) {
    const flags = (vlan.pvid ? PVID : 0) | (vlan.untagged ? UNTAGGED : 0);
    const before = found.at(-1);
    if (before !== undefined && !vlan.pvid && before.flags === flags && before.last + 1 === vlan.id) {
      found.pop();
      found.push({ flags, first: before.first, last: vlan.id });
    } else {
      found.push({ flags, first: vlan.id, last: vlan.id });
    }
  }
  return found;
}
