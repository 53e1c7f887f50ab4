/**
 * vlan: puts each container into a VLAN of a host's interface; what it sends leaves there with the VLAN's tag.
 *
 *   sandbox[eth0]──VLAN 100──┐
 *   sandbox[eth0]──VLAN 200──┴──[master]──▶ a trunk of the switch
 */
import { collectAddresses, removeThenRelease } from "../../pkg/ipam-client/ipam-client.ts";
import { withDns } from "../../pkg/ipam-client/keys.ts";
import { connectToSegment } from "../../pkg/ipam-client/shared-segment.ts";
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
import { vlanAttributes } from "../../pkg/netlink/link-attributes.ts";
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
import { CniError, drift, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { config, type VlanConfig } from "./config.ts";

const KIND = "vlan";

export function vlan(): Plugin {
  return definePlugin({ type: "vlan", since: "0.1.0", entersSandbox: true, config, add, del, check, gc, status });
}

function add(call: Add<VlanConfig>): Result {
  const { config, attachment, delegates, host, sandbox, undo } = call;
  const parent = requireParent(parentPlace(host, sandbox.stack, config.linkInContainer), config.master, KIND);
  requireMtu(config.mtu, parent);
  requireUp(parent, config.vlanId);
  const data = new Attributes().set(vlanAttributes.id, config.vlanId);
  const unique = `VLAN ${config.vlanId} of ${parent.link.name}`;
  const spec = { kind: KIND, mtu: config.mtu, parent, data, unique };
  const link = createInSandbox(host, sandbox.stack, attachment, spec, undo);
  return withDns(connectToSegment(delegates, sandbox, link, config, undo), config.dns);
}

/** The kernel lets no VLAN come up before its parent, and sets it down with it. */
function requireUp({ link }: Parent, id: number): void {
  if (link.up) return;
  throw new CniError(
    ErrorCode.Io,
    `Cannot set VLAN ${id} of ${link.name} up: ${link.name} is down`,
    `bring it up: ip link set ${link.name} up`,
  );
}

/** The parent may be gone. */
function del({ config, attachment, sandbox, delegates, teardown }: Del<VlanConfig>): void {
  removeThenRelease(teardown, attachment, delegates, config.ipamType, () =>
    removeFromSandbox(sandbox.find(), attachment, [KIND]),
  );
}

function check({ config, attachment, host, sandbox, delegates, prevResult }: Check<VlanConfig>): void {
  if (config.ipamType !== "") delegates.check(config.ipamType);
  const result = requireCheckedResult(prevResult, "vlan");
  const link = verifyInterface(sandbox, attachment.ifName, result, KIND);
  const id = link.kindData?.get(vlanAttributes.id) ?? 0;
  if (id !== config.vlanId) throw drift(`interface ${link.name} is in VLAN ${id}, expected ${config.vlanId}`);
  if (config.mtu !== 0 && link.mtu !== config.mtu) {
    throw drift(`interface ${link.name} has MTU ${link.mtu}, expected ${config.mtu}`);
  }
  verifyParent(parentPlace(host, sandbox.stack, config.linkInContainer), config.master, link);
  if (!link.up) throw drift(`interface ${link.name} is down`);
}

/** The link vanishes with the container's namespace, or with its parent. */
function gc({ config, delegates, teardown }: Gc<VlanConfig>): void {
  collectAddresses(teardown, delegates, config.ipamType);
}

/** A parent in the container cannot be known before there is one. */
function status({ config, host, delegates }: Status<VlanConfig>): void {
  requireKind(host, KIND, "8021q");
  if (!config.linkInContainer) requireReadyParent({ stack: host, inContainer: false }, config.master, KIND);
  if (config.ipamType !== "") delegates.status(config.ipamType);
}
