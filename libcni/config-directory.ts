/** Finds a network's configuration by its name, as runtimes do in /etc/cni/net.d. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { CniError, ErrorCode, invalidConfig, messageOf } from "../spec/errors.ts";
import { isIdentifier } from "../spec/names.ts";
import { NetworkList } from "./network-list.ts";
import { PluginConfig } from "./plugin-config.ts";

/**
 * The first list (*.conflist) named `network`, in the order of the files' names, or else the first file of a single plugin
 * (*.conf, *.json). A file before it that cannot be used is an error, whatever network it is for: which one is the first must
 * not depend on that.
 * @throws CniError 5, 6 or 7 naming the file; 7 when the network is not there
 */
export function loadNetworkList(directory: string, network: string): NetworkList {
  const lists = configFiles(directory, [".conflist"]);
  for (const path of lists) {
    const list = readFile(path, NetworkList.parse);
    if (list.name === network) return inFile(path, (): NetworkList => completeList(directory, list));
  }
  const singles = configFiles(directory, [".conf", ".json"]);
  for (const path of singles) {
    const list = readFile(path, NetworkList.parseSingle);
    if (list.name === network) return list;
  }
  if (lists.length === 0 && singles.length === 0) {
    throw invalidConfig(`no net configurations found in ${directory}`, "it has no file *.conflist, *.conf or *.json");
  }
  throw invalidConfig(`no net configuration with name "${network}" in ${directory}`, foundNames(lists, singles));
}

/** The list with the plugins of the directory that is named after the network, in the order of the files' names. */
function completeList(directory: string, list: NetworkList): NetworkList {
  let complete = list;
  if (!list.loadOnlyInlinedPlugins && isIdentifier(list.name)) {
    const more: PluginConfig[] = [];
    for (const path of configFiles(`${directory}/${list.name}`, [".conf"])) {
      const text = readText(path);
      more.push(inFile(path, (): PluginConfig => PluginConfig.parse(text)));
    }
    if (more.length > 0) complete = list.append(more);
  }
  if (complete.plugins.length === 0) {
    throw invalidConfig("no plugin configs found", `list them under "plugins", or in ${directory}/${list.name}/*.conf`);
  }
  return complete;
}

/** The files with one of these extensions, by name; none when there is no such directory. */
function configFiles(directory: string, extensions: readonly string[]): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw new CniError(ErrorCode.Io, `cannot read ${directory}: ${messageOf(error)}`);
  }
  const paths: string[] = [];
  for (const name of names.toSorted((a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0))) {
    const dot = name.lastIndexOf(".");
    if (dot < 0 || !extensions.includes(name.slice(dot))) continue;
    const path = `${directory}/${name}`;
    if (!isDirectory(path)) paths.push(path);
  }
  return paths;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (_) {
    return false; // reading it says what is wrong
  }
}

function readFile(path: string, parse: (text: string) => NetworkList): NetworkList {
  const text = readText(path);
  return inFile(path, (): NetworkList => parse(text));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CniError(ErrorCode.Io, `error reading ${path}: ${messageOf(error)}`);
  }
}

/** Runs `read`; an error gets the file's name. */
function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CniError) throw error.during(path);
    throw error;
  }
}

/** Details for a network that is not there: which ones are. */
function foundNames(lists: readonly string[], singles: readonly string[]): string {
  const names: string[] = [];
  for (const path of lists) names.push(readFile(path, NetworkList.parse).name);
  for (const path of singles) names.push(readFile(path, NetworkList.parseSingle).name);
  return `it has ${names.join(", ")}`;
}
