/** What a plugin gets on stdin: its object of the list, and what the runtime adds to it (SPEC section 1 and 3). */
import type { JsonObject } from "../spec/json.ts";
import { JsonMembers } from "../spec/json-members.ts";
import type { AttachmentId } from "./attachment.ts";
import type { NetworkList } from "./network-list.ts";
import type { PluginConfig } from "./plugin-config.ts";

/** The request of STATUS, and the beginning of all others. */
export function statusRequest(list: NetworkList, plugin: PluginConfig): string {
  return begin(list, plugin).toString();
}

/** ADD, CHECK and DEL. `prevResult` is JSON text; empty when there is none. */
export function attachmentRequest(
  list: NetworkList,
  plugin: PluginConfig,
  capabilityArgs: JsonObject,
  prevResult: string,
): string {
  const request = begin(list, plugin);
  if (prevResult !== "") request.set("prevResult", prevResult);
  const runtimeConfig = new JsonMembers();
  for (const capability of plugin.capabilities) {
    // Names of capabilities are data, not keys: they are compared exactly.
    if (!capabilityArgs.keys().includes(capability)) continue;
    runtimeConfig.set(capability, JSON.stringify(capabilityArgs.get(capability) ?? null));
  }
  if (!runtimeConfig.isEmpty) request.set("runtimeConfig", runtimeConfig.toString());
  return request.toString();
}

/** GC. Plugins made for older runtimes look for the list under the second name. */
export function gcRequest(list: NetworkList, plugin: PluginConfig, valid: readonly AttachmentId[]): string {
  const entries: string[] = [];
  for (const each of valid) {
    const entry = new JsonMembers().setText("containerID", each.containerId).setText("ifname", each.ifName);
    entries.push(entry.toString());
  }
  const attachments = `[${entries.join(",")}]`;
  const request = begin(list, plugin);
  request.set("cni.dev/valid-attachments", attachments).set("cni.dev/attachments", attachments);
  return request.toString();
}

/** `capabilities` is the runtime's to read and is not sent; every other key passes untouched. */
function begin(list: NetworkList, plugin: PluginConfig): JsonMembers {
  return JsonMembers.of(plugin.object)
    .remove("capabilities")
    .setText("cniVersion", list.cniVersion)
    .setText("name", list.name);
}
