/**
 * vrf: makes the interface a port of a VRF in the container, a routing table of its own: addresses of two networks may overlap.
 * Chained after the plugin that makes the interface.
 *
 *   sandbox[ eth0 ──port of──▶ blue, table 1: eth0's routes ]      [ net1 ──▶ red, table 2: the same addresses ]
 */

import type { Family } from "../../pkg/ip/address.ts";
import { verifyInterface } from "../../pkg/ipam-client/verify-interface.ts";
import { makingKind, requireKind } from "../../pkg/link/kind-support.ts";
import { findMade } from "../../pkg/link/made-link.ts";
import { addAlone, deleteAlone } from "../../pkg/link/network-lock.ts";
import { freeTable, tableOfVrf, usedTables } from "../../pkg/link/routing-table.ts";
import { Attributes } from "../../pkg/netlink/attributes.ts";
import { createLink } from "../../pkg/netlink/create-link.ts";
import { RT_TABLE_MAIN, RTPROT_KERNEL } from "../../pkg/netlink/headers/rtnetlink.ts";
import { changeLink, deleteLink, findLink, findLinkByIndex, type Link, listLinks } from "../../pkg/netlink/link.ts";
import { vrfAttributes } from "../../pkg/netlink/link-attributes.ts";
import { addRule, listRules } from "../../pkg/netlink/rule.ts";
import type { NetworkStack } from "../../pkg/netlink/stack.ts";
import { type Add, type Check, type Del, definePlugin, type Plugin, type Status } from "../../pkg/skel/plugin.ts";
import type { Undo } from "../../pkg/skel/undo.ts";
import { nothingToCollect, requireCheckedResult, requirePrevResult } from "../../pkg/skel/verbs.ts";
import { CniError, drift, ErrorCode, invalidConfig } from "../../spec/errors.ts";
import type { Result, Route } from "../../spec/result.ts";
import { config, type VrfConfig } from "./config.ts";
import { changeMaster, stateOf } from "./port-routes.ts";

const KIND = "vrf";
const FAMILIES: readonly Family[] = [4, 6];
const FIRST_TABLE = 1;
/** Where the kernel puts the rule that leads packets of VRFs to their tables, when it makes the first VRF. */
const VRF_RULE_PRIORITY = 1000;

export function vrf(): Plugin {
  // The VRF and its routes vanish with the container's namespace.
  const gc = nothingToCollect<VrfConfig>;
  return definePlugin({ type: "vrf", since: "0.3.1", entersSandbox: true, config, add, del, check, gc, status });
}

function add({ config, attachment, sandbox, prevResult, undo }: Add<VrfConfig>): Result {
  const result = requirePrevResult(prevResult, "vrf");
  return addAlone(sandbox.stack, undo, (): Result => {
    const { stack } = sandbox;
    const link = requireLink(stack, attachment.ifName);
    const device = ensureVrf(stack, config, link, undo);
    ensureRules(stack);
    const table = tableOfVrf(device);
    const state = stateOf(stack, link);
    if (link.masterIndex === device.index) return result;
    undo.push(`take ${link.name} from ${device.name}`, () =>
      changeMaster(stack, state, 0, RT_TABLE_MAIN, RT_TABLE_MAIN),
    );
    changeMaster(stack, state, device.index, RT_TABLE_MAIN, table);
    return result;
  });
}

function requireLink(stack: NetworkStack, ifName: string): Link {
  const link = findLink(stack, ifName);
  if (link !== undefined) return link;
  throw invalidConfig(
    `Cannot put ${ifName} into a VRF: the container has no such interface`,
    'put vrf after the plugin that makes the interface in the list\'s "plugins"',
  );
}

/** The VRF, made when missing; and the interface is nobody else's port. */
function ensureVrf(stack: NetworkStack, config: VrfConfig, link: Link, undo: Undo): Link {
  const { vrfName } = config;
  const found = findLink(stack, vrfName);
  if (found !== undefined && found.kind !== KIND) {
    throw invalidConfig(
      `Netlink ${vrfName} is not a VRF`,
      `the container has a link of that name; take another vrfname`,
    );
  }
  if (link.masterIndex !== 0 && link.masterIndex !== found?.index) {
    const master = findLinkByIndex(stack, link.masterIndex)?.name ?? link.masterIndex.toString();
    throw new CniError(
      ErrorCode.Taken,
      `interface ${link.name} has already a master set: ${master}`,
      "an interface can be the port of one bridge, bond or VRF",
    );
  }
  if (found !== undefined) {
    requireTable(found, config.table);
    if (!found.up) changeLink(stack, found, { up: true });
    return found;
  }
  const table = config.table ?? freeTable(usedTables(stack), FIRST_TABLE);
  undo.push(`remove ${vrfName}`, () => removeUnused(stack, vrfName));
  const data = new Attributes().set(vrfAttributes.table, table);
  makingKind(KIND, () => createLink(stack, { name: vrfName, kind: KIND, data, up: true }));
  return findMade(stack, vrfName);
}

function requireTable(device: Link, wanted: number | undefined): void {
  const table = tableOfVrf(device);
  if (wanted === undefined || wanted === table) return;
  throw invalidConfig(
    `VRF ${device.name} already exist with different routing table ${table}`,
    `the configuration wants table ${wanted}: all networks of a VRF must name the same table, or none`,
  );
}

/** The kernel makes these with the first VRF of a namespace, and never again: without them its table is asked by nobody. */
function ensureRules(stack: NetworkStack): void {
  const rules = listRules(stack);
  for (const family of FAMILIES) {
    const ofFamily = rules.filter((rule) => rule.family === family);
    if (ofFamily.length === 0 || ofFamily.some((rule) => rule.masterTable)) continue;
    addRule(stack, { family, table: 0, priority: VRF_RULE_PRIORITY, masterTable: true, protocol: RTPROT_KERNEL });
  }
}

/** By the device alone, whatever table it has. */
function del({ config, attachment, sandbox, teardown }: Del<VrfConfig>): void {
  const { vrfName } = config;
  const stack = vrfName === "" ? undefined : sandbox.find();
  if (stack === undefined) return;
  teardown.attempt(`take ${attachment.ifName} from ${vrfName}`, () => {
    deleteAlone(stack, () => {
      const device = findLink(stack, vrfName);
      if (device === undefined || device.kind !== KIND) return;
      const link = findLink(stack, attachment.ifName);
      if (link !== undefined && link.masterIndex === device.index) {
        changeMaster(stack, stateOf(stack, link), 0, tableOfVrf(device), RT_TABLE_MAIN);
      }
      removeUnused(stack, vrfName);
    });
  });
}

function removeUnused(stack: NetworkStack, vrfName: string): void {
  const device = findLink(stack, vrfName);
  if (device === undefined || device.kind !== KIND) return;
  if (listLinks(stack, { masterIndex: device.index }).length === 0) deleteLink(stack, device);
}

function check({ config, attachment, sandbox, prevResult }: Check<VrfConfig>): void {
  const result = requireCheckedResult(prevResult, "vrf");
  const { stack } = sandbox;
  const device = findLink(stack, config.vrfName);
  if (device === undefined) throw drift(`VRF ${config.vrfName} is missing in ${sandbox.path}`);
  if (device.kind !== KIND) throw drift(`Netlink ${config.vrfName} is not a VRF`);
  const table = tableOfVrf(device);
  if (config.table !== undefined && config.table !== table) {
    throw drift(`VRF ${device.name} has routing table ${table}, expected ${config.table}`);
  }
  if (!device.up) throw drift(`VRF ${device.name} is down`);
  const all = listRules(stack); // of one family, a kernel without it refuses
  for (const family of FAMILIES) {
    const rules = all.filter((rule) => rule.family === family);
    if (rules.length > 0 && !rules.some((rule) => rule.masterTable)) {
      throw drift(`the IPv${family} rule that leads packets of VRFs to their tables is missing`);
    }
  }
  const link = findLink(stack, attachment.ifName);
  if (link === undefined || link.masterIndex !== device.index) {
    throw drift(`failed to find ${attachment.ifName} associated to vrf ${device.name}`);
  }
  const isNamed = result.interfaces.some(({ name, sandbox: path }) => path !== "" && name === link.name);
  if (isNamed) verifyInterface(sandbox, link.name, movedTo(table, result));
}

/** The result, with the routes where ADD has put them: what was in the main table is in the VRF's. */
function movedTo(table: number, { interfaces, ips, routes, dns }: Result): Result {
  const moved: Route[] = [];
  for (const { dst, gw, mtu, advmss, priority, table: given, scope } of routes) {
    const isMoved = given === undefined || given === RT_TABLE_MAIN;
    moved.push({ dst, gw, mtu, advmss, priority, table: isMoved ? table : given, scope });
  }
  return { interfaces, ips, routes: moved, dns };
}

function status({ host }: Status<VrfConfig>): void {
  requireKind(host, KIND);
}
