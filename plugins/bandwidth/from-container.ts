/**
 * The limit of what a container sends. A link's queue holds up what the link sends, so what comes in by the host's end of the pair
 * is redirected to an ifb device, whose queue it waits in before it goes on:
 *
 *   container ──▶ host's end, ingress ffff: ──u32, mirred──▶ ifb, root 1: tbf ──▶ (back, as if received just now)
 */
import { addFilter, type Filter, listFilters, removeFilter, removeFilters } from "../../pkg/netlink/filter.ts";
import { changeLink, findLinkByIndex, generateNoAddresses, type Link } from "../../pkg/netlink/link.ts";
import { findQdisc, removeQdisc, setQdisc } from "../../pkg/netlink/qdisc.ts";
import type { Bucket } from "../../pkg/netlink/qdisc-options.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { handle, trafficParent } from "../../pkg/netlink/traffic.ts";
import type { Attachment } from "../../pkg/skel/attachment.ts";
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import type { Scope } from "./config.ts";
import { ensureIfb, findIfb, INGRESS_HANDLE } from "./ifb.ts";
import { needing } from "./kernel-parts.ts";
import { limitSending, verifySending } from "./link-limit.ts";
import { type Match, matchesOf } from "./scope.ts";
import { areThose, verifyFilters } from "./verify-filters.ts";

/** What tc calls flowid 1:1; nothing is classified by it here. */
const FLOW: number = handle(1, 1);

/** Limits what comes in by the host's end. Idempotent. @throws CniError 101 when others have queues there; KernelError */
export function limitArriving(
  host: NetworkStack,
  attachment: Attachment,
  end: Link,
  bucket: Bucket,
  scope: Scope,
): Link {
  const ifb = ensureIfb(host, attachment, end);
  limitSending(host, ifb, bucket);
  // Nobody would ever reach an address of its own, which also keeps the device's removal waiting for another grace period.
  generateNoAddresses(host, ifb);
  changeLink(host, ifb, { up: true });
  ensureIngress(host, end, ifb);
  const matches = matchesOf(scope, "destination");
  const filters = listFilters(host, end, INGRESS_HANDLE);
  if (!areThose(filters, matches, (match, filter) => leadsTo(ifb, match, filter))) {
    if (filters.length > 0) removeFilters(host, end, INGRESS_HANDLE);
    for (const match of matches) redirect(host, end, match, ifb);
  }
  return findLinkByIndex(host, ifb.index) ?? ifb;
}

/** @throws CniError 101 when somebody else looks at what arrives there */
function ensureIngress(host: NetworkStack, end: Link, ifb: Link): void {
  const found = findQdisc(host, end, trafficParent.ingress);
  if (found === undefined) {
    needing("sch_ingress", () =>
      setQdisc(host, end, { kind: "ingress", handle: INGRESS_HANDLE, parent: trafficParent.ingress }),
    );
    return;
  }
  const isForeign = listFilters(host, end, INGRESS_HANDLE).some((filter) => !isOurs(filter, ifb));
  if (found.kind === "ingress" && !isForeign) return;
  throw new CniError(
    ErrorCode.Taken,
    `Cannot limit what comes from ${end.name}: it has a queue of kind ${found.kind} with filters already`,
    `somebody else looks at what arrives there: tc filter show dev ${end.name} ingress`,
  );
}

function redirect(host: NetworkStack, end: Link, match: Match, ifb: Link): void {
  const { priority, protocol, keys } = match;
  const redirectTo = match.limited ? ifb.index : undefined;
  needing("cls_u32, act_mirred", () =>
    addFilter(host, end, { parent: INGRESS_HANDLE, priority, protocol, keys, classId: FLOW, redirectTo }),
  );
}

/** As ADD makes them, the reference's too: to the attachment's ifb, to one that is gone (0), or past it. */
function isOurs({ kind, classId, redirectTo }: Filter, ifb: Link | undefined): boolean {
  const isOurWay = redirectTo === undefined || redirectTo === 0 || redirectTo === ifb?.index;
  return kind === "u32" && classId === FLOW && isOurWay;
}

function leadsTo(ifb: Link, match: Match, filter: Filter): boolean {
  return match.limited ? filter.redirectTo === ifb.index : filter.redirectTo === undefined;
}

/** @throws CniError 102 */
export function verifyArriving(
  host: NetworkStack,
  attachment: Attachment,
  end: Link,
  accepted: readonly Bucket[],
  scope: Scope,
): void {
  const ifb = findIfb(host, attachment);
  if (ifb === undefined) throw drift(`the ifb device of ${attachment.toString()} is missing`);
  if (!ifb.up) throw drift(`${ifb.name} is down`, `bring it up: ip link set ${ifb.name} up`);
  verifySending(host, ifb, accepted);
  const ingress = findQdisc(host, end, trafficParent.ingress);
  if (ingress === undefined) throw drift(`${end.name} has no ingress queue: what it receives is not limited`);
  const filters = listFilters(host, end, INGRESS_HANDLE);
  verifyFilters(end, filters, matchesOf(scope, "destination"), (match, filter) => leadsTo(ifb, match, filter));
}

/**
 * Takes the redirection to the attachment's ifb from the link, or one to a link that is gone, which would drop everything; and the
 * queue when nobody else has filters there. Others' stay, and absence is success. @throws KernelError
 */
export function removeRedirection(host: NetworkStack, end: Link, ifb: Link | undefined): void {
  const found = findQdisc(host, end, trafficParent.ingress);
  if (found === undefined || found.kind !== "ingress") return;
  const filters = listFilters(host, end, INGRESS_HANDLE);
  const own = filters.filter((filter) => isOurs(filter, ifb));
  // Without an ifb nothing was redirected, and an empty queue is somebody else's.
  if (ifb === undefined && !own.some((filter) => filter.redirectTo === 0)) return;
  if (own.length === filters.length) removeQdisc(host, end, trafficParent.ingress);
  else for (const filter of own) removeFilter(host, end, INGRESS_HANDLE, filter, isShared(filter, filters, own));
}

/** Whether others have filters of the same priority. */
function isShared({ priority }: Filter, all: readonly Filter[], own: readonly Filter[]): boolean {
  return all.some((other) => other.priority === priority && !own.includes(other));
}
