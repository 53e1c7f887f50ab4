/**
 * ipvlan: puts each container on the segment of a host's interface, all under that interface's hardware address.
 *
 *   sandbox[eth0]──ipvlan──┐
 *   sandbox[eth0]──ipvlan──┴──[master]──▶ the segment and its hosts (l2), or its routers (l3, l3s); not the node itself
 */

import { collectAddresses, removeThenRelease } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { configureOnSegment, connectToSegment, prepareSharedSegment } from "../../pkg/ipam-client/shared-segment.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { requireKind } from "../../pkg/link/kind-support.ts";
import {
  type Parent,
  parentPlace,
  requireMtu,
  requireParent,
  requireReadyParent,
  verifyParent,
} from "../../pkg/link/parent.ts";
import { createInSandbox, removeFromSandbox } from "../../pkg/link/sandbox-link.ts";
import { Attributes } from "../../pkg/netlink/attributes.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { ipvlanAttributes } from "../../pkg/netlink/link-attributes.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { drift, invalidConfig } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type IpvlanConfig, modeName, modeNumber } from "./config.ts";

const KIND = "ipvlan";

export function ipvlan(): Plugin {
  return definePlugin({ type: "ipvlan", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add(call: Add<IpvlanConfig>): Result {
  const { config, attachment, host, sandbox, prevResult, undo, warn } = call;
  const master = config.master === "" ? chainedMaster(prevResult) : config.master;
  const parent = requireParent(parentPlace(host, sandbox.stack, config.linkInContainer), master, KIND);
  requireMtu(config.mtu, parent);
  if (!parent.link.up) warn(`ipvlan: parent ${parent.link.name} is down: until it is up, nothing gets through`);
  const data = new Attributes().set(ipvlanAttributes.mode, modeNumber(config.mode));
  const link = createInSandbox(host, sandbox.stack, attachment, { kind: KIND, mtu: config.mtu, parent, data }, undo);
  return withDns(connect(call, parent, link), config.dns);
}

/** The one interface that the plugin before has made; without a plugin before, none is named. */
function chainedMaster(prevResult: Result | undefined): string {
  if (prevResult === undefined) return "";
  const only = prevResult.interfaces.length === 1 ? (prevResult.interfaces.at(0)?.name ?? "") : "";
  if (only !== "") return only;
  throw invalidConfig(
    "chained master failure. PrevResult lacks a single named interface",
    'name the parent in "master"',
  );
}

/** Without IPAM of its own it takes the addresses that the plugin before was given. */
function connect(call: Add<IpvlanConfig>, parent: Parent, link: Link): Result {
  const { config, delegates, host, sandbox, prevResult, undo } = call;
  if (config.ipamType !== "" || prevResult === undefined || prevResult.ips.length === 0) {
    const stack = parentPlace(host, sandbox.stack, parent.inContainer).stack;
    const below = { stack, link: parent.link, hearsForIt: true };
    return connectToSegment(delegates, sandbox, link, config, undo, below);
  }
  prepareSharedSegment(sandbox.stack, link, config.ipv6);
  return configureOnSegment(sandbox, link, prevResult);
}

/** The parent may be gone. */
function del({ config, attachment, sandbox, delegates, teardown }: Del<IpvlanConfig>): void {
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () =>
    removeFromSandbox(sandbox.find(), attachment, [KIND]),
  );
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<IpvlanConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "ipvlan");
  const link = verifyInterface(sandbox, attachment.ifName, result, KIND);
  if (!link.up) throw drift(`interface ${link.name} is down`);
  const mode = link.kindData?.get(ipvlanAttributes.mode);
  if (mode !== modeNumber(config.mode)) {
    throw drift(
      `container ipvlan mode ${modeName(mode)} does not match expected value: ${config.mode}`,
      "all on one parent have the mode of the last that was made: give every network on it the same",
    );
  }
  verifyParent(parentPlace(host, sandbox.stack, config.linkInContainer), config.master, link);
}

/** The links vanish with the containers' namespaces. */
function gc({ config, delegates, teardown }: Gc<IpvlanConfig>): void {
  collectAddresses(teardown, delegates, config.ipamType);
}

/** Only a parent that is named is known: that of a chained plugin, or one in the container, is not before there is a container. */
function status({ config, host, delegates }: Status<IpvlanConfig>): void {
  requireKind(host, KIND);
  const isKnown = config.master !== "" && !config.linkInContainer;
  if (isKnown) requireReadyParent({ stack: host, inContainer: false }, config.master, KIND);
  if (config.ipamType !== "") delegates.status(config.ipamType);
}
