/** All schema files and what is to be in them. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pluginNames } from "../../cmd/cni/names.ts";
import { findOwnPlugin } from "../../cmd/cni/plugins.ts";
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { type Schema, schemaOfKeys } from "./key-schema.ts";
import { DIALECT, error, networkConfig, networkConfigList, result } from "./protocol.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Every plugin in the table, by name. */
export function ownPlugins(): Plugin[] {
  const plugins: Plugin[] = [];
  for (const name of pluginNames.toSorted()) {
    const plugin = findOwnPlugin(name);
    if (plugin !== undefined) plugins.push(plugin);
  }
  return plugins;
}

/** Where a plugin's sources and README.md are, below the repository's root. */
export function pluginFolder(name: string): string {
  return existsSync(`${root}ipam/${name}`) ? `ipam/${name}` : `plugins/${name}`;
}

/** A plugin's configuration: its own keys, and what all plugins share. */
export function pluginSchema(plugin: Plugin): Schema {
  const { properties, required } = schemaOfKeys(plugin.describe());
  return {
    $schema: DIALECT,
    $id: `${plugin.type}.schema.json`,
    title: `Configuration of the CNI plugin ${plugin.type}`,
    description: "Names are matched without regard to case; this is their canonical spelling. Other keys are ignored.",
    allOf: [{ $ref: "network-config.schema.json" }],
    type: "object",
    properties: { type: { description: "this plugin" }, ...(properties as Schema) },
    ...(required === undefined ? {} : { required }),
  };
}

/** File name and schema. An IPAM plugin's schema is for the caller's whole configuration, as the plugin gets it. */
export function schemaFiles(): Map<string, Schema> {
  const plugins = ownPlugins();
  const schemas = plugins.map((plugin) => pluginSchema(plugin));
  const names = plugins.map((plugin) => plugin.type);
  const ipamNames = names.filter((name) => pluginFolder(name).startsWith("ipam/"));
  const all = [networkConfig, networkConfigList(names, ipamNames), result, error, ...schemas];
  return new Map(all.map((schema) => [String(schema["$id"]), schema]));
}
