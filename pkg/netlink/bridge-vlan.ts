/** VLANs of a bridge's port. Source: linux/if_bridge.h, struct bridge_vlan_info; linux/if_link.h IFLA_AF_SPEC. */
import type { Codec } from "../codec/codec.ts";
import { DecodeError } from "../codec/codec.ts";
import { attribute, Attributes, attributes, nested } from "./attributes.ts";
import { bridgeDump, bridgeMessage } from "./bridge-port.ts";
import type { Link } from "./link.ts";
import type { NetworkStack } from "./stack.ts";

const RTM_SETLINK = 19;
const RTM_DELLINK = 17;
const RTEXT_FILTER_BRVLAN = 2;
/** BRIDGE_VLAN_INFO_* */
const PVID = 2;
const UNTAGGED = 4;

export interface BridgeVlan {
  /** 1 to 4094. */
  readonly id: number;
  /** Untagged frames that come in belong to it. */
  readonly pvid: boolean;
  /** Its frames leave untagged. */
  readonly untagged: boolean;
}

const vlanInfo: Codec<BridgeVlan> = {
  encode: (vlan: BridgeVlan): Uint8Array => {
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, (vlan.pvid ? PVID : 0) | (vlan.untagged ? UNTAGGED : 0), true);
    view.setUint16(2, vlan.id, true);
    return bytes;
  },
  decode: (bytes: Uint8Array, path: string): BridgeVlan => {
    if (bytes.length < 4) throw new DecodeError(path, `need 4 bytes, have ${bytes.length}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const flags = view.getUint16(0, true);
    return { id: view.getUint16(2, true), pvid: (flags & PVID) !== 0, untagged: (flags & UNTAGGED) !== 0 };
  },
};

/** IFLA_AF_SPEC of AF_BRIDGE, IFLA_BRIDGE_* */
const portAttributes = attributes({ specification: nested(26) });
const vlanAttributes = attributes({ info: attribute(2, vlanInfo) });

/** A port's VLANs, in order. @throws KernelError */
export function listVlans(stack: NetworkStack, port: Link): BridgeVlan[] {
  const found: BridgeVlan[] = [];
  for (const row of bridgeDump(stack, port, RTEXT_FILTER_BRVLAN)) {
    for (const vlan of row.get(portAttributes.specification)?.all(vlanAttributes.info) ?? []) found.push(vlan);
  }
  return found;
}

/** Puts a port into VLANs; one it is in takes the new flags. Idempotent. @throws KernelError */
export function addVlans(stack: NetworkStack, port: Link, vlans: readonly BridgeVlan[]): void {
  change(stack, `add VLANs to bridge port ${port.name}`, RTM_SETLINK, port, vlans);
}

/** Takes a port out of VLANs. @throws KernelError, ENOENT when it is not in one */
export function deleteVlans(stack: NetworkStack, port: Link, vlans: readonly BridgeVlan[]): void {
  change(stack, `delete VLANs of bridge port ${port.name}`, RTM_DELLINK, port, vlans);
}

function change(stack: NetworkStack, operation: string, type: number, port: Link, vlans: readonly BridgeVlan[]): void {
  if (vlans.length === 0) return;
  const specification = new Attributes();
  for (const vlan of vlans) specification.set(vlanAttributes.info, vlan);
  const content = new Attributes().set(portAttributes.specification, specification);
  stack.route.request(operation, type, 0, bridgeMessage(port.index, content));
}
