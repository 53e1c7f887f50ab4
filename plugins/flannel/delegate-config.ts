/** The configuration that the delegate gets: the given one, completed from what flanneld says. Pure. */

import { JsonObject } from "../../spec/json.ts";
import { JsonMembers } from "../../spec/json-members.ts";
import type { NetworkConfig } from "../../spec/network-config.ts";
import type { FlannelConfig } from "./config.ts";
import type { Subnet } from "./subnet-file.ts";

/** Members that belong to one call, and are not remembered. */
const VALID_ATTACHMENTS: readonly string[] = ["cni.dev/valid-attachments", "cni.dev/attachments"];

/**
 * The delegate's configuration as JSON. Without a `subnet` it has what DEL and GC need, which is all but addresses, MTU and
 * masquerading.
 */
export function delegateConfig(network: NetworkConfig, config: FlannelConfig, subnet: Subnet | undefined): string {
  const given = JsonObject.of(network.object.get("delegate"));
  const members = given === undefined ? new JsonMembers() : JsonMembers.of(given);
  const isOpen = (name: string): boolean => given === undefined || !given.has(name);
  members.setText("name", network.name);
  members.setText("type", config.delegateType);
  if (subnet !== undefined && isOpen("ipMasq")) members.set("ipMasq", subnet.masquerades ? "false" : "true");
  if (subnet !== undefined && isOpen("mtu")) members.set("mtu", `${subnet.mtu}`);
  if (config.delegateType === "bridge" && isOpen("isGateway")) members.set("isGateway", "true");
  for (const name of ["dns", "args"]) if (isOpen(name)) copyMember(network.object, name, members);
  copyMember(network.object, "runtimeConfig", members);
  if (network.cniVersion !== "") members.setText("cniVersion", network.cniVersion);
  members.set("ipam", ipamConfig(network, config, subnet));
  return members.toString();
}

function copyMember(from: JsonObject, name: string, to: JsonMembers): void {
  const value = from.get(name);
  if (value !== undefined) to.set(name, JSON.stringify(value));
}

/** The given ipam, its ranges replaced by the node's subnets, and routes to flannel's networks behind its own. */
function ipamConfig(network: NetworkConfig, config: FlannelConfig, subnet: Subnet | undefined): string {
  const given = JsonObject.of(network.object.get("ipam"));
  const members = given === undefined ? new JsonMembers() : JsonMembers.of(given);
  members.setText("type", config.ipamType);
  if (subnet === undefined) return members.toString();
  const ranges: string[] = [];
  for (const prefix of subnet.subnets) ranges.push(`[{"subnet":${JSON.stringify(prefix.toString())}}]`);
  const routes: string[] = [];
  const own = given?.get("routes");
  for (const route of Array.isArray(own) ? (own as unknown[]) : []) routes.push(JSON.stringify(route));
  for (const prefix of subnet.networks) routes.push(`{"dst":${JSON.stringify(prefix.toString())}}`);
  members.set("ranges", `[${ranges.join(",")}]`);
  members.set("routes", `[${routes.join(",")}]`);
  return members.toString();
}

/**
 * What the delegate is called with now: the configuration of its ADD, with what the runtime passes in this call (prevResult,
 * runtimeConfig, valid attachments), and in this call's version.
 */
export function callConfig(remembered: string, network: NetworkConfig): string {
  const value: unknown = JSON.parse(remembered);
  const object = JsonObject.of(value);
  const members = object === undefined ? new JsonMembers() : JsonMembers.of(object);
  for (const name of ["prevResult", "runtimeConfig"]) copyMember(network.object, name, members);
  for (const name of VALID_ATTACHMENTS) {
    // Null is an empty list, and absent is none at all.
    if (network.object.has(name)) members.set(name, JSON.stringify(network.object.get(name) ?? null));
  }
  if (network.cniVersion !== "") members.setText("cniVersion", network.cniVersion);
  return members.toString();
}
