/** What a bridge's port does beside forwarding. Source: linux/if_link.h, IFLA_BRPORT_*. */
import { Writer } from "../codec/writer.ts";
import { Attributes } from "./attributes.ts";
import { IFINFO_BYTES, type Link, RTM_NEWLINK } from "./link.ts";
import { bridgePortAttributes, linkAttributes } from "./link-attributes.ts";
import type { NetworkStack } from "./stack.ts";

const AF_BRIDGE = 7;
const RTM_SETLINK = 19;
const RTM_GETLINK = 18;

export interface BridgePort {
  /** Frames may leave by the port they came in by. */
  readonly hairpin: boolean;
  /** It cannot reach other isolated ports. */
  readonly isolated: boolean;
}

/** Sets both flags of a port. Idempotent. @throws KernelError, EINVAL when the link is no port */
export function setBridgePort(stack: NetworkStack, port: Link, flags: BridgePort): void {
  const info = new Attributes()
    .set(bridgePortAttributes.hairpin, flags.hairpin)
    .set(bridgePortAttributes.isolated, flags.isolated);
  const content = new Attributes().set(linkAttributes.protocolInfo, info);
  const operation = `set hairpin and isolation of bridge port ${port.name}`;
  stack.route.request(operation, RTM_SETLINK, 0, bridgeMessage(port.index, content));
}

/** struct ifinfomsg of family AF_BRIDGE, and attributes. */
export function bridgeMessage(index: number, content: Attributes): Uint8Array {
  return new Writer().u8(AF_BRIDGE).u8(0).u16(0).u32(index).u32(0).u32(0).bytes(content.encode()).done();
}

/** Bodies of AF_BRIDGE's link dump that are about one link. */
export function bridgeDump(stack: NetworkStack, link: Link, extMask: number): Attributes[] {
  const content = new Attributes().set(linkAttributes.extMask, extMask);
  const found: Attributes[] = [];
  for (const each of stack.route.dump("list bridge ports", RTM_GETLINK, bridgeMessage(0, content))) {
    if (each.type !== RTM_NEWLINK) continue;
    const view = new DataView(each.body.buffer, each.body.byteOffset, each.body.length);
    if (view.getUint32(4, true) === link.index) found.push(Attributes.decode(each.body.subarray(IFINFO_BYTES), "bridgePort"));
  }
  return found;
}

/** The flags of a port; `undefined` when the link is none. @throws KernelError */
export function readBridgePort(stack: NetworkStack, port: Link): BridgePort | undefined {
  for (const row of bridgeDump(stack, port, 0)) {
    const info = row.get(linkAttributes.protocolInfo);
    if (info === undefined) continue;
    return {
      hairpin: info.get(bridgePortAttributes.hairpin) ?? false,
      isolated: info.get(bridgePortAttributes.isolated) ?? false,
    };
  }
  return undefined;
}
