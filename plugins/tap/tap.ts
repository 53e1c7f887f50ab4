/**
 * tap: an interface whose frames a program reads and writes, mostly a virtual machine's monitor in the container.
 *
 *   sandbox[eth0]──/dev/net/tun──program                  or, as a port:   sandbox[br0]──[eth0]──/dev/net/tun──program
 */

import { configureInterface } from "../../pkg/ipam-client/configure-interface.ts";
import { interfaceResult } from "../../pkg/ipam-client/interface-result.ts";
import { collectAddresses, removeThenRelease, requestAddresses } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { prepareSharedSegment } from "../../pkg/ipam-client/shared-segment.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { requireLeastMtu } from "../../pkg/link/least-mtu.ts";
import { findMade } from "../../pkg/link/made-link.ts";
import { requestedMac } from "../../pkg/link/requested-mac.ts";
import { changeLink, findLink, type Link } from "../../pkg/netlink/link.ts";
import { tunAttributes } from "../../pkg/netlink/link-attributes.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
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
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import { emptyResult, type Result } from "../../spec/result.ts";
import { config, type TapConfig } from "./config.ts";
import { createTap, isTap, openDevice, removeTap, requireFreeName, requireSelinux } from "./tap-link.ts";

export function tap(): Plugin {
  return definePlugin({ type: "tap", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

/** Until the last step the tap lives by our open file: killed before, we leave nothing. */
function add({ config, attachment, environment, delegates, sandbox, undo }: Add<TapConfig>): Result {
  const stack = sandbox.stack;
  const mac = requestedMac(config.mac, environment);
  requireLeastMtu(config.mtu);
  const bridge = findBridge(stack, config.bridge);
  requireSelinux(config.selinuxContext);
  requireFreeName(stack, attachment);
  const leased = config.ipamType === "" ? emptyResult : requestAddresses(delegates, config.ipamType, undo);
  const device = createTap(stack, attachment, config, undo);
  device.dropCarrier();
  device.restrict(config.owner, config.group);
  const created = findMade(stack, attachment.ifName);
  const mtu = config.mtu === 0 ? undefined : config.mtu;
  changeLink(stack, created, { mac, mtu, alias: attachment.tag, masterIndex: bridge?.index });
  const link = findMade(stack, attachment.ifName);
  const result = interfaceResult(sandbox, link, leased);
  if (config.ipamType === "") {
    changeLink(stack, link, { up: true });
  } else {
    prepareSharedSegment(stack, link, config.ipv6);
    // Nobody is at the other end yet who could have the address.
    configureInterface(stack, link, result, { detectDuplicates: false });
  }
  device.persist();
  device.close();
  return withDns(result, config.dns);
}

/** @throws CniError 7 when the container has no bridge of that name */
function findBridge(sandbox: NetworkStack, name: string): Link | undefined {
  if (name === "") return undefined;
  const found = findLink(sandbox, name);
  if (found?.kind === "bridge") return found;
  const reason = found === undefined ? "there is no such interface in the container" : "it is no bridge";
  throw invalidConfig(
    `failed to get bridge ${name}: ${reason}`,
    "bridge names one in the container's namespace, not the host's: a plugin before this one must have made it",
  );
}

function del({ config, attachment, sandbox, delegates, teardown }: Del<TapConfig>): void {
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () => removeTap(sandbox.find(), attachment));
}

function check({ config, attachment, sandbox, delegates, prevResult }: Check<TapConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "tap");
  const link = verifyInterface(sandbox, attachment.ifName, result, "tun");
  if (!isTap(link)) throw drift(`interface ${link.name} is a tun of packets, expected a tap of frames`);
  if (!link.up) throw drift(`interface ${link.name} is down`);
  if (config.mtu !== 0 && link.mtu !== config.mtu) {
    throw drift(`interface ${link.name} has MTU ${link.mtu}, expected ${config.mtu}`);
  }
  verifyBridge(sandbox.stack, link, config.bridge);
  verifyAccess(link, config);
}

function verifyBridge(sandbox: NetworkStack, link: Link, bridge: string): void {
  if (bridge === "") return;
  if (link.masterIndex === 0 || findLink(sandbox, bridge)?.index !== link.masterIndex)
    throw drift(`interface ${link.name} is not a port of ${bridge}`);
}

/** Who may open it, and how. */
function verifyAccess(link: Link, config: TapConfig): void {
  const multiQueue = link.kindData?.get(tunAttributes.multiQueue) ?? false;
  if (config.multiQueue && !multiQueue) throw drift(`interface ${link.name} takes one queue only`);
  verifyId(link, "user", config.owner, link.kindData?.get(tunAttributes.owner));
  verifyId(link, "group", config.group, link.kindData?.get(tunAttributes.group));
}

function verifyId(link: Link, what: string, wanted: number | undefined, have: number | undefined): void {
  if (wanted === undefined || wanted === have) return;
  const found = have === undefined ? `no ${what}` : `${what} ${have}`;
  throw drift(`interface ${link.name} belongs to ${found}, expected ${what} ${wanted}`);
}

/** The tap is in the container's namespace and goes with it. */
function gc({ config, delegates, teardown }: Gc<TapConfig>): void {
  collectAddresses(teardown, delegates, config.ipamType);
}

function status({ config, host, delegates }: Status<TapConfig>): void {
  openDevice(host, ErrorCode.NotAvailable).close();
  try {
    requireSelinux(config.selinuxContext);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details);
  }
  if (config.ipamType !== "") delegates.status(config.ipamType);
}
