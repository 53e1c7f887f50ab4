/**
 * A network configuration list (SPEC section 1): read from text, or made of a file that configures a single plugin, as runtimes
 * have done since before there were lists. Pure; config-directory.ts finds the files.
 */
import { CniError, ErrorCode, invalidConfig, messageOf } from "../spec/errors.ts";
import { JsonObject, kindOf, parseObject } from "../spec/json.ts";
import { compareVersions, newestVersion } from "../spec/versions.ts";
import { PluginConfig } from "./plugin-config.ts";

export class NetworkList {
  readonly name: string;
  /** The version the plugins are called in: the newest that both the list and we know. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  /** Whether plugins come from the list alone, and not from the directory named after the network too. */
  readonly loadOnlyInlinedPlugins: boolean;
  readonly plugins: readonly PluginConfig[];
  /** The file's content, which the cache keeps. */
  readonly text: string;

  private constructor(text: string, object: JsonObject, plugins: readonly PluginConfig[]) {
    this.text = text;
    this.name = nameOf(object);
    this.cniVersion = chooseVersion(object);
    this.disableCheck = flagAt(object, "disableCheck");
    this.disableGc = flagAt(object, "disableGC");
    this.loadOnlyInlinedPlugins = flagAt(object, "loadOnlyInlinedPlugins");
    this.plugins = plugins;
  }

  /**
   * Reads a list. Without `plugins` it is empty: they are in the network's directory then.
   * @throws CniError 6 or 7 led in by "error parsing configuration list"
   */
  static parse(text: string): NetworkList {
    const object = parseObject(text, "network configuration list");
    try {
      return NetworkList.read(text, object);
    } catch (error) {
      if (error instanceof CniError) throw error.during("error parsing configuration list");
      throw error;
    }
  }

  private static read(text: string, object: JsonObject): NetworkList {
    const bare = new NetworkList(text, object, []); // its own keys are judged before the plugins
    return bare.withPlugins(pluginsOf(object, bare.loadOnlyInlinedPlugins), object);
  }

  /** A list of the one plugin that a .conf or .json file configures. @throws CniError 6 or 7 */
  static parseSingle(text: string): NetworkList {
    const plugin = PluginConfig.parse(text);
    try {
      return new NetworkList(text, plugin.object, [plugin]);
    } catch (error) {
      if (error instanceof CniError) throw error.during("error parsing configuration");
      throw error;
    }
  }

  /** The same list with more plugins at its end. */
  append(more: readonly PluginConfig[]): NetworkList {
    const object = parseObject(this.text, "network configuration list");
    const plugins: PluginConfig[] = [];
    for (const plugin of this.plugins) plugins.push(plugin);
    for (const plugin of more) plugins.push(plugin);
    return this.withPlugins(plugins, object);
  }

  private withPlugins(plugins: readonly PluginConfig[], object: JsonObject): NetworkList {
    return new NetworkList(this.text, object, plugins);
  }
}

function nameOf(object: JsonObject): string {
  const value = object.get("name");
  if (value === undefined || value === "") throw invalidConfig("no name", 'give the list a "name"');
  if (typeof value !== "string") throw wrongType("invalid name type", value);
  return value;
}

/**
 * The highest of `cniVersions` and `cniVersion` that is not newer than ours. Without `cniVersions`, `cniVersion` as it is, known
 * or not: the plugins answer to that.
 */
function chooseVersion(object: JsonObject): string {
  const own = object.get("cniVersion") ?? "";
  if (typeof own !== "string") throw wrongType("invalid cniVersion type", own);
  const value = object.get("cniVersions");
  if (value === undefined) return own;
  if (!Array.isArray(value)) throw wrongType("invalid type for cniVersions:", value);
  let chosen = "";
  let index = 0;
  for (const entry of value as unknown[]) {
    if (typeof entry !== "string") throw wrongType(`invalid type for cniVersions index ${index}:`, entry);
    if (isOurs(entry, `cniVersions entry ${entry} at index ${index}`)) chosen = newer(chosen, entry);
    index += 1;
  }
  if (own !== "" && isOurs(own, `cniVersion ${own}`)) chosen = newer(chosen, own);
  return chosen === "" ? own : chosen;
}

function isOurs(version: string, subject: string): boolean {
  try {
    return compareVersions(version, newestVersion) <= 0;
  } catch (error) {
    throw invalidConfig(`invalid ${subject}: ${messageOf(error)}`, "versions are numbers joined by dots, as in 1.1.0");
  }
}

function newer(a: string, b: string): string {
  return a === "" || compareVersions(b, a) > 0 ? b : a;
}

/** A boolean, or one of the texts "true" and "false" in any case, which users have long written. */
function flagAt(object: JsonObject, name: string): boolean {
  const value = object.get(name);
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") {
    throw new CniError(ErrorCode.Decode, `invalid type ${kindOf(value)} for ${name}`, "it is true or false");
  }
  const lower = value.toLowerCase();
  if (lower === "true") return true;
  if (lower === "false") return false;
  throw invalidConfig(`invalid value "${value}" for ${name}`, "it is true or false");
}

function pluginsOf(object: JsonObject, onlyInlined: boolean): PluginConfig[] {
  const plugins: PluginConfig[] = [];
  if (!object.has("plugins")) {
    if (!onlyInlined) return plugins;
    throw invalidConfig(
      "`loadOnlyInlinedPlugins` is true, and no 'plugins' key",
      'list the plugins, or remove "loadOnlyInlinedPlugins"',
    );
  }
  const value = object.get("plugins");
  if (!Array.isArray(value)) throw wrongType("invalid 'plugins' type", value);
  for (const item of value as unknown[]) {
    try {
      const plugin = JsonObject.of(item);
      if (plugin === undefined) throw wrongType("expected an object, found", item);
      plugins.push(new PluginConfig(plugin));
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      throw error.during(`failed to parse plugin config ${plugins.length}: error parsing configuration`);
    }
  }
  if (plugins.length === 0) throw invalidConfig("no plugins in list");
  return plugins;
}

function wrongType(subject: string, value: unknown): CniError {
  return new CniError(ErrorCode.Decode, `${subject} ${kindOf(value)}`);
}
