/**
 * bandwidth: limits what a container receives and sends, by queues at the host's end of its veth pair. Chained after the plugin that
 * makes the pair.
 *
 *   container[eth0] ◀──veth── [tbf: ingressRate]   host's end   [ingress] ──▶ ifb bwp… [tbf: egressRate] ──▶
 */
import { deleteLink, type Link } from "../../pkg/netlink/link.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Attachment, keyOfTag } from "../../pkg/skel/attachment.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { describeInterface, type Result } from "../../spec/result.ts";
import { type BandwidthConfig, config, type Limit } from "./config.ts";
import { limitArriving, removeRedirection, verifyArriving } from "./from-container.ts";
import { findHostEnd, namedOnHost, requireHostEnd } from "./host-end.ts";
import { findIfb, findIfbOf, redirectsTo, removeIfb, staleIfbs } from "./ifb.ts";
import { requireParts } from "./kernel-parts.ts";
import { removeLimit } from "./link-limit.ts";
import { acceptedShapes, isRaised, shapeOf } from "./shape.ts";
import { limitReceiving, verifyReceiving } from "./to-container.ts";

export function bandwidth(): Plugin {
  return definePlugin({ type: "bandwidth", since: "0.3.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, host, sandbox, prevResult, undo, warn }: Add<BandwidthConfig>): Result {
  const result = requirePrevResult(prevResult, "bandwidth");
  const { ingress, egress, scope, latencyMs } = config;
  if (ingress === undefined && egress === undefined) {
    const end = findHostEnd(host, sandbox.stack, attachment.ifName);
    if (end !== undefined) removeFrom(host, end, attachment);
    return result;
  }
  const end = requireHostEnd(host, sandbox.stack, attachment.ifName);
  const toContainer = ingress === undefined ? undefined : shapeOf(ingress, latencyMs, end.mtu);
  const fromContainer = egress === undefined ? undefined : shapeOf(egress, latencyMs, end.mtu);
  warnOfSmallBurst(ingress, "ingressBurst", latencyMs, end, warn);
  warnOfSmallBurst(egress, "egressBurst", latencyMs, end, warn);

  undo.push("remove the limits", () => removeFrom(host, end, attachment));
  // What an earlier ADD limited is not limited now, unless it is said again.
  if (toContainer === undefined) removeLimit(host, end);
  else limitReceiving(host, end, toContainer, scope);
  if (fromContainer !== undefined) {
    return withInterface(result, limitArriving(host, attachment, end, fromContainer, scope));
  }
  removeArriving(host, end, attachment);
  return result;
}

function warnOfSmallBurst(
  limit: Limit | undefined,
  key: string,
  latencyMs: number,
  end: Link,
  warn: (line: string) => void,
): void {
  if (limit === undefined || !isRaised(limit, latencyMs, end.mtu)) return;
  warn(
    `bandwidth: ${key} of ${limit.burst ?? 0} bits would stop packets of MTU ${end.mtu}: it is made one packet large`,
  );
}

/** A repeated ADD may find it told already. */
function withInterface(result: Result, ifb: Link): Result {
  const { interfaces, ips, routes, dns } = result;
  if (interfaces.some((each) => each.name === ifb.name && each.sandbox === "")) return result;
  return { interfaces: [...interfaces, describeInterface(ifb.name, ifb.mac, ifb.mtu)], ips, routes, dns };
}

function removeFrom(host: NetworkStack, end: Link, attachment: Attachment): void {
  removeLimit(host, end);
  removeArriving(host, end, attachment);
}

function removeArriving(host: NetworkStack, end: Link, attachment: Attachment): void {
  const ifb = findIfbOf(host, attachment, end);
  removeRedirection(host, end, ifb);
  if (ifb !== undefined) deleteLink(host, ifb);
}

/** By what is there, whatever the configuration says now. The pair may be gone, and its queues with it; the ifb device is not. */
function del({ attachment, host, sandbox, prevResult, teardown }: Del<BandwidthConfig>): void {
  teardown.attempt("remove the limits of the host's end", () => {
    const ifb = findIfb(host, attachment);
    for (const end of endsOf(host, sandbox.find(), attachment, prevResult, ifb)) {
      removeRedirection(host, end, ifb);
      removeLimit(host, end);
    }
  });
  teardown.attempt("remove the ifb device", () => removeIfb(host, attachment));
}

/**
 * The host's end; without the container's namespace, what prevResult names. Never one whose alias names another: the namespace's path
 * may lead to a later container.
 */
function endsOf(
  host: NetworkStack,
  sandbox: NetworkStack | undefined,
  attachment: Attachment,
  prevResult: Result | undefined,
  ifb: Link | undefined,
): Link[] {
  const end = findHostEnd(host, sandbox, attachment.ifName);
  const candidates = end === undefined ? namedOnHost(host, prevResult) : [end];
  return candidates.filter((link) => {
    const owner = keyOfTag(link.alias);
    if (owner !== undefined) return owner === attachment.key;
    return end !== undefined || (ifb !== undefined && redirectsTo(host, link, ifb.index));
  });
}

function check({ config, attachment, host, sandbox, prevResult }: Check<BandwidthConfig>): void {
  requireCheckedResult(prevResult, "bandwidth");
  const { ingress, egress, scope, latencyMs } = config;
  if (ingress === undefined && egress === undefined) return;
  const end = requireHostEnd(host, sandbox.stack, attachment.ifName);
  if (ingress !== undefined) verifyReceiving(host, end, acceptedShapes(ingress, latencyMs, end.mtu), scope);
  if (egress !== undefined) verifyArriving(host, attachment, end, acceptedShapes(egress, latencyMs, end.mtu), scope);
}

/** The queues go with the pairs, which are others' to collect; the devices of the reference do not say whose they are. */
function gc({ host, valid, teardown }: Gc<BandwidthConfig>): void {
  teardown.attempt("collect ifb devices", () => {
    for (const ifb of staleIfbs(host, (tag) => valid.isStale(tag))) {
      teardown.attempt(`remove ${ifb.name}`, () => {
        deleteLink(host, ifb);
      });
    }
  });
}

function status({ config, host }: Status<BandwidthConfig>): void {
  requireParts(host, config);
}
