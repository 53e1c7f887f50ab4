/**
 * Queueing disciplines and their classes: what a link does with packets before it sends them. The options of each kind are in
 * qdisc-options.ts. Source: linux net/sched/sch_api.c, linux/rtnetlink.h, tc(8).
 */
import { KernelError } from "../linux/errno.ts";
import { Attributes } from "./attributes.ts";
import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE } from "./headers/netlink.ts";
import { RTM_DELQDISC, RTM_GETQDISC, RTM_GETTCLASS, RTM_NEWQDISC, RTM_NEWTCLASS } from "./headers/rtnetlink.ts";
import type { Link } from "./link.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";
import { decodeTraffic, type TrafficObject, trafficAttributes, trafficHeader, trafficParent } from "./traffic.ts";

/** lo, on which a question about kinds is asked. */
const LOOPBACK_INDEX = 1;

/** A queue to be made, or a class. */
export interface QdiscSpec {
  readonly kind: string;
  readonly handle: number;
  /** trafficParent.*, or a class. */
  readonly parent: number;
  /** The kind's own. */
  readonly options?: Uint8Array | undefined;
}

/** The queue that hangs there, unless it is one that the kernel has put there by itself. @throws KernelError */
export function findQdisc(stack: NetworkStack, link: Link, parent: number): TrafficObject | undefined {
  const body = messageBody(trafficHeader(link.index, 0, parent), new Attributes());
  try {
    const answer = stack.route.request(`find the queue of ${link.name}`, RTM_GETQDISC, NLM_F_ECHO, body).at(0);
    if (answer === undefined) return undefined;
    const found = decodeTraffic(answer.body);
    return found.handle === 0 ? undefined : found;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    // EINVAL: there is one, and it is not told about.
    if (error.errno === "ENOENT" || error.errno === "EINVAL" || error.errno === "ENODEV") return undefined;
    throw error;
  }
}

/**
 * Makes a queue, or gives one of the same kind and handle these options.
 * @throws KernelError; ENOENT when the kernel has no such kind, EINVAL when a queue of another kind has the handle
 */
export function setQdisc(stack: NetworkStack, link: Link, spec: QdiscSpec): void {
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  stack.route.request(`set queue ${spec.kind} of ${link.name}`, RTM_NEWQDISC, flags, encodeQdisc(link.index, spec));
}

/** The message of `setQdisc` and `setClass`. */
export function encodeQdisc(linkIndex: number, spec: QdiscSpec): Uint8Array {
  const content = new Attributes().set(trafficAttributes.kind, spec.kind).set(trafficAttributes.options, spec.options);
  return messageBody(trafficHeader(linkIndex, spec.handle, spec.parent), content);
}

/** Removes the queue that hangs there with all below it; whether there was one. @throws KernelError */
export function removeQdisc(stack: NetworkStack, link: Link, parent: number): boolean {
  const body = messageBody(trafficHeader(link.index, 0, parent), new Attributes());
  try {
    stack.route.request(`remove the queue of ${link.name}`, RTM_DELQDISC, 0, body);
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno === "ENOENT" || error.errno === "EINVAL" || error.errno === "ENODEV") return false;
    throw error;
  }
}

/** Makes a class of a queue, or changes one. @throws KernelError */
export function setClass(stack: NetworkStack, link: Link, spec: QdiscSpec): void {
  const operation = `set class of ${spec.kind} of ${link.name}`;
  stack.route.request(operation, RTM_NEWTCLASS, NLM_F_CREATE, encodeQdisc(link.index, spec));
}

/** The class with that handle. @throws KernelError */
export function findClass(stack: NetworkStack, link: Link, handle: number): TrafficObject | undefined {
  const body = messageBody(trafficHeader(link.index, 0, 0), new Attributes());
  for (const message of stack.route.dump(`list classes of ${link.name}`, RTM_GETTCLASS, body)) {
    if (message.type !== RTM_NEWTCLASS) continue;
    const found = decodeTraffic(message.body);
    if (found.linkIndex === link.index && found.handle === handle) return found;
  }
  return undefined;
}

/**
 * Whether the kernel knows the kind at this moment; one that loads modules may load the kind's to answer. Changes nothing: it asks
 * for a queue without the options that the kind cannot do without. True where that cannot be found out. @throws KernelError
 */
export function isKnownQdisc(stack: NetworkStack, kind: string): boolean {
  const content = new Attributes().set(trafficAttributes.kind, kind);
  const body = messageBody(trafficHeader(LOOPBACK_INDEX, 0, trafficParent.root), content);
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  try {
    stack.route.request(`ask for queues of kind ${kind}`, RTM_NEWQDISC, flags, body);
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error.errno !== "ENOENT";
  }
}
