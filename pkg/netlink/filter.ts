/**
 * Filters of kind u32: which packets belong to which class, or are redirected to another link. Used for limits.
 * Source: linux/pkt_cls.h, linux/tc_act/tc_mirred.h, net/sched/cls_api.c, cls_u32.c, act_mirred.c; tc-u32(8), tc-mirred(8).
 */
import { cstring, raw, u32 } from "../codec/codec.ts";
import { viewOf } from "../codec/view.ts";
import { Writer } from "../codec/writer.ts";
import { KernelError } from "../linux/errno.ts";
import { Attributes, attribute, attributes, nested } from "./attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./headers/netlink.ts";
import { RTM_DELTFILTER, RTM_GETTFILTER, RTM_NEWTFILTER } from "./headers/rtnetlink.ts";
import type { Link } from "./link.ts";
import { messageBody } from "./message.ts";
import type { NetworkStack } from "./stack.ts";
import { decodeTraffic, type TrafficObject, trafficAttributes, trafficHeader } from "./traffic.ts";

/** TC_U32_TERMINAL: a match is an answer. */
const TERMINAL = 1;
const SELECTOR_BYTES = 16;
/** TC_ACT_STOLEN, TCA_EGRESS_REDIR */
const STOLEN = 4;
const REDIRECT = 1;

/** TCA_U32_* */
const u32Attributes = attributes({
  classId: attribute(1, u32),
  selector: attribute(5, raw),
  actions: nested(7),
});
/** Actions by their order; what one of them is, TCA_ACT_* */
const actionList = attributes({ first: nested(1) });
const actionAttributes = attributes({ kind: attribute(1, cstring), options: nested(2) });
/** TCA_MIRRED_* */
const mirredAttributes = attributes({ parameters: attribute(2, raw) });

/** Four bytes of a packet to be compared: `offset` counts from its network header; value and mask are in the packet's order. */
export interface FilterKey {
  readonly offset: number;
  readonly value: number;
  readonly mask: number;
}

export interface FilterSpec {
  /** The queue that asks. */
  readonly parent: number;
  /** 1 and up: lower is asked first. One priority serves one protocol only. */
  readonly priority: number;
  /** ETH_P_* */
  readonly protocol: number;
  /** All of these must match; none is every packet. */
  readonly keys: readonly FilterKey[];
  readonly classId: number;
  /** The link that packets are redirected to, as if sent by it; `undefined` lets them go on. */
  readonly redirectTo: number | undefined;
}

/** A filter that the kernel has. */
export interface Filter {
  readonly kind: string;
  /** The kernel's number of it, within its queue and priority. */
  readonly handle: number;
  readonly priority: number;
  readonly protocol: number;
  readonly keys: readonly FilterKey[];
  readonly classId: number;
  /** `undefined`: no redirection. 0: its link is gone. */
  readonly redirectTo: number | undefined;
}

/** Adds a filter. @throws KernelError; EEXIST when its priority serves another protocol, ENOENT when the kernel lacks u32 or mirred */
export function addFilter(stack: NetworkStack, link: Link, filter: FilterSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  stack.route.request(`add filter to ${link.name}`, RTM_NEWTFILTER, flags, encodeFilter(link.index, filter));
}

/** The message of `addFilter`. */
export function encodeFilter(linkIndex: number, filter: FilterSpec): Uint8Array {
  const options = new Attributes()
    .set(u32Attributes.classId, filter.classId)
    .set(u32Attributes.selector, encodeSelector(filter.keys));
  if (filter.redirectTo !== undefined) options.set(u32Attributes.actions, redirection(filter.redirectTo));
  const content = new Attributes().set(trafficAttributes.kind, "u32").set(trafficAttributes.options, options.encode());
  // The protocol stands in network order.
  const info = filter.priority * 0x10000 + swapped(filter.protocol);
  return messageBody(trafficHeader(linkIndex, 0, filter.parent, info), content);
}

function swapped(number: number): number {
  return (number % 0x100) * 0x100 + Math.floor(number / 0x100);
}

/** struct tc_u32_sel, then a struct tc_u32_key each. */
function encodeSelector(keys: readonly FilterKey[]): Uint8Array {
  // The kernel wants a key even where everything matches.
  const written: readonly FilterKey[] = keys.length === 0 ? [{ offset: 0, value: 0, mask: 0 }] : keys;
  const out = new Writer().u8(TERMINAL).u8(0).u8(written.length).u8(0).u16(0).u16(0).u16(0).u16(0).u32(0);
  for (const key of written) out.u32be(key.mask).u32be(key.value).u32(key.offset).u32(0);
  return out.done();
}

/** struct tc_mirred: index, capabilities, action, two counters, what is done, where to. */
function redirection(linkIndex: number): Attributes {
  const parameters = new Writer().u32(0).u32(0).u32(STOLEN).u32(0).u32(0).u32(REDIRECT).u32(linkIndex);
  const mirred = new Attributes().set(mirredAttributes.parameters, parameters.done());
  const action = new Attributes().set(actionAttributes.kind, "mirred").set(actionAttributes.options, mirred);
  return new Attributes().set(actionList.first, action);
}

/** The filters of a queue, in the order they are asked; none where there is no such queue. @throws KernelError */
export function listFilters(stack: NetworkStack, link: Link, parent: number): Filter[] {
  const filters: Filter[] = [];
  const body = messageBody(trafficHeader(link.index, 0, parent), new Attributes());
  for (const message of dumpFilters(stack, link, body)) {
    const filter = decodeFilter(message);
    if (filter !== undefined) filters.push(filter);
  }
  return filters;
}

function dumpFilters(stack: NetworkStack, link: Link, body: Uint8Array): TrafficObject[] {
  const found: TrafficObject[] = [];
  try {
    for (const message of stack.route.dump(`list filters of ${link.name}`, RTM_GETTFILTER, body)) {
      if (message.type === RTM_NEWTFILTER) found.push(decodeTraffic(message.body));
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.errno !== "ENOENT" && error.errno !== "EINVAL" && error.errno !== "ENODEV") throw error;
  }
  return found;
}

/** `undefined` for what is no filter but what the kernel keeps of their kind. @throws DecodeError; RangeError */
export function decodeFilter(object: TrafficObject): Filter | undefined {
  // The first of each priority tells of the filters' common part alone.
  if (object.options.length === 0) return undefined;
  const priority = Math.floor(object.info / 0x10000);
  const protocol = swapped(object.info % 0x10000);
  const { kind, handle } = object;
  if (kind !== "u32") return { kind, handle, priority, protocol, keys: [], classId: 0, redirectTo: undefined };
  const found = Attributes.decode(object.options, "u32");
  const selector = found.get(u32Attributes.selector);
  // A hash table of filters is told as one without a selector.
  if (selector === undefined) return undefined;
  const classId = found.get(u32Attributes.classId) ?? 0;
  const redirectTo = redirectionIn(found.get(u32Attributes.actions));
  return { kind, handle, priority, protocol, keys: decodeKeys(selector), classId, redirectTo };
}

function decodeKeys(selector: Uint8Array): FilterKey[] {
  const view = viewOf(selector);
  const count = view.getUint8(2);
  const keys: FilterKey[] = [];
  for (let i = 0; i < count; i++) {
    const at = SELECTOR_BYTES + i * 16;
    const mask = view.getUint32(at, false);
    if (mask === 0) continue;
    keys.push({ offset: view.getInt32(at + 8, true), value: view.getUint32(at + 4, false), mask });
  }
  return keys;
}

function redirectionIn(actions: Attributes | undefined): number | undefined {
  const action = actions?.get(actionList.first);
  if (action?.get(actionAttributes.kind) !== "mirred") return undefined;
  const parameters = action.get(actionAttributes.options)?.get(mirredAttributes.parameters);
  if (parameters === undefined) return undefined;
  const view = viewOf(parameters);
  return view.getUint32(20, true) === REDIRECT ? view.getUint32(24, true) : undefined;
}

/**
 * Removes a filter that the kernel has told, alone or with all of its priority, whose table goes with them. Absence is success.
 * @throws KernelError
 */
export function removeFilter(stack: NetworkStack, link: Link, parent: number, filter: Filter, alone: boolean): void {
  const info = filter.priority * 0x10000 + swapped(filter.protocol);
  const body = messageBody(trafficHeader(link.index, alone ? filter.handle : 0, parent, info), new Attributes());
  try {
    stack.route.request(`remove a filter of ${link.name}`, RTM_DELTFILTER, 0, body);
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "ENOENT") throw error;
  }
}

/** Removes all filters of a queue; none is success. @throws KernelError */
export function removeFilters(stack: NetworkStack, link: Link, parent: number): void {
  const body = messageBody(trafficHeader(link.index, 0, parent), new Attributes());
  stack.route.request(`remove filters of ${link.name}`, RTM_DELTFILTER, 0, body);
}
