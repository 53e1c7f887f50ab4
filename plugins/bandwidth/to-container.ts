/**
 * The limit of what a container receives: the queue of the host's end of its pair.
 *
 *   all traffic:  root 1: tbf
 *   some of it:   root 1: htb ──filters──▶ class 1:1 ── 2: bfifo      what no filter gives to the class is not limited
 */
import { addFilter, listFilters } from "../../pkg/netlink/filter.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { findClass, findQdisc, removeQdisc, setClass, setQdisc } from "../../pkg/netlink/qdisc.ts";
import {
  type Bucket,
  decodeFifo,
  decodeHtbClass,
  fifoOptions,
  htbClassOptions,
  htbOptions,
} from "../../pkg/netlink/qdisc-options.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { handle, trafficParent } from "../../pkg/netlink/traffic.ts";
import type { Scope } from "./config.ts";
import { needing } from "./kernel-parts.ts";
import { limitSending, ownRoot, ROOT, unlimited, verifyBucket, verifySending } from "./link-limit.ts";
import { isPartial, matchesOf } from "./scope.ts";
import { verifyFilters } from "./verify-filters.ts";

const LIMITED_CLASS: number = handle(1, 1);
const WAITING: number = handle(2);

/** Limits what the host's end sends. Idempotent. @throws CniError 101 when others have queues there; KernelError */
export function limitReceiving(host: NetworkStack, end: Link, bucket: Bucket, scope: Scope): void {
  if (!isPartial(scope)) {
    limitSending(host, end, bucket);
    return;
  }
  // What an htb has cannot be changed as a whole.
  if (ownRoot(host, end) !== undefined) removeQdisc(host, end, trafficParent.root);
  needing("sch_htb", () =>
    setQdisc(host, end, { kind: "htb", handle: ROOT, parent: trafficParent.root, options: htbOptions() }),
  );
  const options = htbClassOptions(bucket.rate, bucket.bufferTicks);
  setClass(host, end, { kind: "htb", handle: LIMITED_CLASS, parent: ROOT, options });
  setQdisc(host, end, { kind: "bfifo", handle: WAITING, parent: LIMITED_CLASS, options: fifoOptions(bucket.limit) });
  for (const match of matchesOf(scope, "source")) {
    const { priority, protocol, keys } = match;
    const classId = match.limited ? LIMITED_CLASS : ROOT;
    needing("cls_u32", () =>
      addFilter(host, end, { parent: ROOT, priority, protocol, keys, classId, redirectTo: undefined }),
    );
  }
}

/** @throws CniError 102 unless the limit is one of these */
export function verifyReceiving(host: NetworkStack, end: Link, accepted: readonly Bucket[], scope: Scope): void {
  if (!isPartial(scope)) {
    verifySending(host, end, accepted);
    return;
  }
  const root = findQdisc(host, end, trafficParent.root);
  if (root === undefined || root.kind !== "htb") throw unlimited(end);
  const limited = findClass(host, end, LIMITED_CLASS);
  const waiting = findQdisc(host, end, LIMITED_CLASS);
  if (limited === undefined || waiting === undefined || waiting.kind !== "bfifo") throw unlimited(end);
  verifyBucket(end, decodeHtbClass(limited.options, decodeFifo(waiting.options)), accepted);
  const filters = listFilters(host, end, ROOT);
  verifyFilters(end, filters, matchesOf(scope, "source"), (match, filter) =>
    match.limited ? filter.classId === LIMITED_CLASS : filter.classId === ROOT,
  );
}
