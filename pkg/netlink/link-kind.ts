/** Kinds of links that the kernel can make. Source: rtnl_newlink of linux net/core/rtnetlink.c. */
import { KernelError } from "../linux/errno.ts";
import { Attributes } from "./attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_NEWLINK } from "./headers/rtnetlink.ts";
import { linkHeader } from "./link.ts";
import { linkAttributes, linkInfoAttributes } from "./link-attributes.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** Longer than any interface of this name is likely to be there. */
const NOBODY = "ferrule-no-link";

/**
 * Whether the kernel knows the kind at this moment; one that loads modules may load the kind's to answer. Changes nothing: it asks for
 * a change of a link that does not exist, with data that every kind refuses before the kernel looks for the link.
 * @throws KernelError
 */
export function isKnownKind(stack: NetworkStack, kind: string): boolean {
  // The first attribute of no kind is a single byte.
  const info = new Attributes().set(linkInfoAttributes.kind, kind);
  info.set(linkInfoAttributes.data, new Attributes().put(1, new Uint8Array(1)));
  const content = new Attributes().set(linkAttributes.name, NOBODY).set(linkAttributes.info, info);
  try {
    stack.route.request(`ask for links of kind ${kind}`, RTM_NEWLINK, 0, messageBody(linkHeader(0), content));
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error.errno === "ENODEV" ? isKnownWithoutData(stack, kind) : error.errno !== "EOPNOTSUPP";
  }
}

/** More than any kernel gives a link. */
const TOO_MANY_QUEUES = 1_000_000;

/** For kinds without data of their own, which are not looked at: a link with as many queues is refused whatever its kind. */
function isKnownWithoutData(stack: NetworkStack, kind: string): boolean {
  const content = new Attributes()
    .set(linkAttributes.name, NOBODY)
    .set(linkAttributes.transmitQueues, TOO_MANY_QUEUES)
    .set(linkAttributes.info, new Attributes().set(linkInfoAttributes.kind, kind));
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  try {
    stack.route.request(`ask for links of kind ${kind}`, RTM_NEWLINK, flags, messageBody(linkHeader(0), content));
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error.errno === "EINVAL";
  }
}
