/** A limit on all that a link sends: a tbf as its root queue, as the reference makes it. */
import type { Link } from "../../pkg/netlink/link.ts";
import { findQdisc, removeQdisc, setQdisc } from "../../pkg/netlink/qdisc.ts";
import { type Bucket, decodeTbf, tbfOptions } from "../../pkg/netlink/qdisc-options.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { handle, type TrafficObject, trafficParent } from "../../pkg/netlink/traffic.ts";
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import { needing } from "./kernel-parts.ts";
import { sameBucket, wordsFor } from "./shape.ts";

export const ROOT: number = handle(1);

/** Limits what the link sends. Idempotent: earlier limits are replaced. @throws CniError 101 when others have queues there; KernelError */
export function limitSending(host: NetworkStack, link: Link, bucket: Bucket): void {
  const found = ownRoot(host, link);
  if (found !== undefined && found.kind !== "tbf") removeQdisc(host, link, trafficParent.root);
  needing("sch_tbf", () =>
    setQdisc(host, link, { kind: "tbf", handle: ROOT, parent: trafficParent.root, options: tbfOptions(bucket) }),
  );
}

/** The root queue that bandwidth has made, or the reference's. @throws CniError 101 when there is another */
export function ownRoot(host: NetworkStack, link: Link): TrafficObject | undefined {
  const found = findQdisc(host, link, trafficParent.root);
  if (found === undefined || isOurs(found)) return found;
  throw new CniError(
    ErrorCode.Taken,
    `Cannot limit ${link.name}: it has a queue of kind ${found.kind} already`,
    `somebody else limits it, or delays it: tc qdisc show dev ${link.name}`,
  );
}

function isOurs(found: TrafficObject): boolean {
  return found.handle === ROOT && (found.kind === "tbf" || found.kind === "htb");
}

/** Takes the limit from the link, of some traffic or of all; others' queues stay, and absence is success. @throws KernelError */
export function removeLimit(host: NetworkStack, link: Link): void {
  const found = findQdisc(host, link, trafficParent.root);
  if (found !== undefined && isOurs(found)) removeQdisc(host, link, trafficParent.root);
}

/** @throws CniError 102 unless the link's limit is one of these */
export function verifySending(host: NetworkStack, link: Link, accepted: readonly Bucket[]): void {
  const found = findQdisc(host, link, trafficParent.root);
  if (found === undefined || found.kind !== "tbf") throw unlimited(link);
  verifyBucket(link, decodeTbf(found.options), accepted);
}

export function unlimited(link: Link): CniError {
  return drift(`${link.name} has no limit: its queue is not as ADD left it`);
}

/** @throws CniError 102 unless what was found is one of these */
export function verifyBucket(link: Link, found: Bucket, accepted: readonly Bucket[]): void {
  if (accepted.some((each) => sameBucket(found, each))) return;
  const wanted = accepted.at(0);
  const words = wanted === undefined ? "none" : wordsFor(wanted);
  throw drift(`${link.name} has another limit: ${wordsFor(found)}; configured is ${words}`);
}
