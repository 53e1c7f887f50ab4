/** Alternative names of links (linux 5.5). Source: rtnetlink(7), linux/rtnetlink.h (RTM_*LINKPROP), linux/if_link.h. */
import { Attributes } from "./attributes.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_DELLINKPROP, RTM_NEWLINKPROP } from "./headers/rtnetlink.ts";
import { type Link, linkHeader } from "./link.ts";
import { linkAttributes } from "./link-attributes.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";

/** Gives a link one more name. @throws KernelError; EEXIST when some link has it */
export function addAlternativeName(stack: NetworkStack, link: Link, name: string): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND;
  stack.route.request(`name ${link.name} also ${name}`, RTM_NEWLINKPROP, flags, encode(link, name));
}

/** Takes a name from a link. @throws KernelError; ENOENT when it has no such name */
export function removeAlternativeName(stack: NetworkStack, link: Link, name: string): void {
  stack.route.request(`name ${link.name} no longer ${name}`, RTM_DELLINKPROP, 0, encode(link, name));
}

function encode(link: Link, name: string): Uint8Array {
  const list = new Attributes().set(linkAttributes.alternativeName, name);
  return messageBody(linkHeader(link.index), new Attributes().set(linkAttributes.propertyList, list));
}
