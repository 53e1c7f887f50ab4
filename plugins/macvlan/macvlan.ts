/**
 * macvlan: gives each container a hardware address of its own on the segment of a host's interface.
 *
 *   sandbox[eth0]──macvlan──┐
 *   sandbox[eth0]──macvlan──┴──[master]──▶ the segment and its hosts; the node itself only by a shim
 */

import {
  collectHostRoutes,
  connectHost,
  disconnectHost,
  requireSource,
  type ShimClient,
  verifyHostWay,
} from "../../pkg/host-shim/host-shim.ts";
import type { Prefix } from "../../pkg/ip/prefix.ts";
import { collectAddresses, releaseAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { connectToSegment } from "../../pkg/ipam-client/shared-segment.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { requireKind } from "../../pkg/link/kind-support.ts";
import { parentPlace, requireMtu, requireParent, requireReadyParent, verifyParent } from "../../pkg/link/parent.ts";
import { requestedMac } from "../../pkg/link/requested-mac.ts";
import { createInSandbox, removeFromSandbox } from "../../pkg/link/sandbox-link.ts";
import { isKernelError } from "../../pkg/linux/errno.ts";
import { Attributes } from "../../pkg/netlink/attributes.ts";
import type { Link } from "../../pkg/netlink/link.ts";
import { macvlanAttributes } from "../../pkg/netlink/link-attributes.ts";
import {
  type Add,
  type Check,
  type Del,
  definePlugin,
  type Gc,
  type Plugin,
  type Status,
} from "../../pkg/skel/plugin.ts";
import type { Sandbox } from "../../pkg/skel/sandbox.ts";
import { requireCheckedResult } from "../../pkg/skel/verbs.ts";
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import { ipsOf, type Result } from "../../spec/result.ts";
import { config, type MacvlanConfig, modeName, modeNumber } from "./config.ts";

const KIND = "macvlan";

export function macvlan(): Plugin {
  return definePlugin({ type: "macvlan", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add(call: Add<MacvlanConfig>): Result {
  const { config, attachment, delegates, environment, host, sandbox, undo, warn } = call;
  const mac = requestedMac(config.mac, environment);
  const place = parentPlace(host, sandbox.stack, config.linkInContainer);
  const parent = requireParent(place, config.master, KIND);
  requireMtu(config.mtu, parent);
  if (config.mode === "passthru" && mac !== undefined) throw macOfParent(mac, parent.link);
  if (!parent.link.up) warn(`macvlan: parent ${parent.link.name} is down: until it is up, nothing gets through`);
  const spec = { kind: KIND, mtu: config.mtu, mac, parent, data: kindData(config) };
  const link = createInSandbox(host, sandbox.stack, attachment, spec, undo);
  const below = { stack: place.stack, link: parent.link, hearsForIt: false };
  try {
    const result = connectToSegment(delegates, sandbox, link, config, undo, below);
    if (config.hostShim) connectHost(host, parent.link, attachment, clientOf(sandbox, link, result), undo);
    return withDns(result, config.dns);
  } catch (error) {
    if (isKernelError(error, "EADDRINUSE")) throw addressInUse(link, parent.link.name);
    throw error;
  }
}

/** The kernel would pass over it without a word. */
function macOfParent(mac: string, parent: Link): CniError {
  return invalidConfig(
    `hardware address ${mac} cannot be given: in mode passthru the container has that of ${parent.name}, ${parent.mac}`,
    `leave out mac (also runtimeConfig's and that of CNI_ARGS), or set it on ${parent.name}`,
  );
}

/** The result may have other plugins' interfaces too. */
function clientOf(sandbox: Sandbox, link: Link, result: Result): ShimClient {
  const addresses = ipsOf(result, link.name).map((ip): Prefix => ip.address);
  return { stack: sandbox.stack, link, addresses };
}

function kindData(config: MacvlanConfig): Attributes {
  const { mode, broadcastQueueLength } = config;
  return new Attributes()
    .set(macvlanAttributes.mode, modeNumber(mode))
    .set(macvlanAttributes.broadcastQueueLength, broadcastQueueLength === 0 ? undefined : broadcastQueueLength);
}

/** Two interfaces on one parent cannot have the same hardware address; the kernel says so when the second comes up. */
function addressInUse(link: Link, parent: string): CniError {
  return new CniError(
    ErrorCode.Taken,
    `hardware address ${link.mac} is used already: by ${parent} or by another macvlan on it`,
    "give the container another address, or none: the kernel then chooses one",
  );
}

/** The parent may be gone. */
function del({ config, attachment, host, sandbox, delegates, teardown }: Del<MacvlanConfig>): void {
  const isGone = teardown.attempt(`remove ${attachment.ifName}`, () =>
    removeFromSandbox(sandbox.find(), attachment, [KIND]),
  );
  // Whatever the configuration says now: it may have been another at ADD.
  teardown.attempt("remove the host's routes to it", () => disconnectHost(host, attachment));
  if (isGone) releaseAddresses(teardown, delegates, config.ipamType);
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<MacvlanConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "macvlan");
  const link = verifyInterface(sandbox, attachment.ifName, result, KIND);
  if (!link.up) throw drift(`interface ${link.name} is down`);
  const mode = link.kindData?.get(macvlanAttributes.mode);
  if (mode !== modeNumber(config.mode)) {
    throw drift(`container macvlan mode ${modeName(mode)} does not match expected value: ${config.mode}`);
  }
  verifyParent(parentPlace(host, sandbox.stack, config.linkInContainer), config.master, link);
  if (config.hostShim) verifyHostWay(host, attachment, clientOf(sandbox, link, result));
}

/** The links vanish with the containers' namespaces; the host's routes to them do not. */
function gc({ config, host, delegates, valid, teardown }: Gc<MacvlanConfig>): void {
  teardown.attempt("collect the host's routes", () => collectHostRoutes(host, valid));
  collectAddresses(teardown, delegates, config.ipamType);
}

/** A parent in the container cannot be known before there is one. */
function status({ config, host, delegates }: Status<MacvlanConfig>): void {
  requireKind(host, KIND);
  const parent = config.linkInContainer
    ? undefined
    : requireReadyParent({ stack: host, inContainer: false }, config.master, KIND).link;
  if (config.hostShim && parent !== undefined) requireSource(host, parent);
  if (config.ipamType !== "") delegates.status(config.ipamType);
}
