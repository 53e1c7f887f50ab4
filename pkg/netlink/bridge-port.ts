/** What a bridge does with one of its ports. Source: linux/if_link.h (IFLA_BRPORT_*), rtnetlink's messages of AF_BRIDGE. */
import { AF_BRIDGE } from "../linux/headers/socket.ts";
import { Attributes } from "./attributes.ts";
import { RTM_SETLINK } from "./headers/rtnetlink.ts";
import { findLinkByIndex, type Link, linkHeader } from "./link.ts";
import { bridgePortAttributes, linkAttributes } from "./link-attributes.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** What is left out or `undefined` stays as it is; off on a new port. */
export interface BridgePortChange {
  /** Frames may leave by the port they came in. */
  readonly hairpin?: boolean | undefined;
  /** No frames to or from other isolated ports. */
  readonly isolated?: boolean | undefined;
}

/** As far as the kernel says: `undefined` is what it does not know. */
export interface BridgePort {
  readonly hairpin: boolean | undefined;
  readonly isolated: boolean | undefined;
}

/** Changes a port; idempotent. @throws KernelError */
export function setBridgePort(stack: NetworkStack, port: Link, change: BridgePortChange): void {
  stack.route.request(`change bridge port ${port.name}`, RTM_SETLINK, 0, encodeBridgePort(port.index, change));
}

/** The message of `setBridgePort`. */
export function encodeBridgePort(index: number, change: BridgePortChange): Uint8Array {
  const options = new Attributes()
    .set(bridgePortAttributes.hairpin, change.hairpin)
    .set(bridgePortAttributes.isolated, change.isolated);
  return messageBody(linkHeader(index, AF_BRIDGE), new Attributes().set(linkAttributes.portInfo, options));
}

/** A port as it is now; `undefined` when the link is gone or belongs to no bridge. @throws KernelError */
export function findBridgePort(stack: NetworkStack, index: number): BridgePort | undefined {
  const data = findLinkByIndex(stack, index)?.portData;
  if (data === undefined) return undefined;
  return { hairpin: data.get(bridgePortAttributes.hairpin), isolated: data.get(bridgePortAttributes.isolated) };
}
