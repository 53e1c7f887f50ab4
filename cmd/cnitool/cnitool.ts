/**
 * cnitool: a container runtime's part played by hand, with the reference's arguments and variables. Its container ID follows from
 * the namespace's path, so that `del` finds what `add` made, whichever cnitool made it.
 */
import { type Attachment, noCapabilityArgs } from "../../libcni/attachment.ts";
import type { AttachmentCache } from "../../libcni/cache.ts";
import { loadNetworkList } from "../../libcni/config-directory.ts";
import type { NetworkList } from "../../libcni/network-list.ts";
import { prettyResult } from "../../libcni/plugin-result.ts";
import { Runtime } from "../../libcni/runtime.ts";
import { textDigest } from "../../pkg/codec/sha512.ts";
import type { RunInProcess } from "../../pkg/invoke/invoke.ts";
import type { Outcome } from "../../pkg/invoke/outcome.ts";
import { toCniError } from "../../pkg/skel/cni-error.ts";
import type { Environment } from "../../spec/environment.ts";
import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import { parseObject } from "../../spec/json.ts";
import { type CommandLine, readCommandLine, UsageError, usage } from "./command-line.ts";

/** What cnitool needs from the process around it. */
export interface CnitoolSurroundings {
  readonly environment: Environment;
  /** Asked for a relative path alone. @throws file errors where the directory is gone */
  readonly workingDirectory: () => string;
  readonly runInProcess: RunInProcess;
  readonly warn: (line: string) => void;
  readonly cache: AttachmentCache;
}

const DEFAULT_CONFIG_DIRECTORY = "/etc/cni/net.d";
const DEFAULT_CNI_PATH = "/opt/cni/bin";
const DEFAULT_IFNAME = "eth0";

/** Runs a command and says what to print and how to end. `words` follow the program's name. Never throws. */
export function cnitool(words: readonly string[], surroundings: CnitoolSurroundings): Outcome {
  try {
    const line = readCommandLine(words);
    if (line === undefined) return { status: 0, stdout: usage, stderr: "" };
    return { status: 0, stdout: run(line, surroundings), stderr: "" };
  } catch (error) {
    if (error instanceof UsageError) return { status: 1, stdout: "", stderr: `${error.message}\n\n${usage}` };
    const { message, details } = toCniError(error);
    return { status: 1, stdout: "", stderr: details === "" ? `${message}\n` : `${message}; ${details}\n` };
  }
}

function run(line: CommandLine, surroundings: CnitoolSurroundings): string {
  const { environment, runInProcess, warn, cache } = surroundings;
  const list = loadNetworkList(variable(environment, "NETCONFPATH", DEFAULT_CONFIG_DIRECTORY), line.network);
  const attachment = attachmentOf(line, surroundings);
  const runtime = new Runtime(
    environment,
    variable(environment, "CNI_PATH", DEFAULT_CNI_PATH),
    cache,
    runInProcess,
    warn,
  );
  switch (line.command) {
    case "add":
      return prettyResult(runtime.addNetworkList(list, attachment));
    case "check":
      runtime.checkNetworkList(list, attachment);
      return "";
    case "del":
      runtime.delNetworkList(list, attachment);
      return "";
    case "gc":
      runtime.gcNetworkList(list, []); // cnitool knows of nothing alive: everything goes, as in the reference
      return "";
    case "status":
      runtime.statusNetworkList(list);
      return "";
    case "validate":
    case "version":
      return describe(list, runtime);
  }
}

function variable(environment: Environment, name: string, fallback: string): string {
  const value = environment.get(name);
  return value === "" ? fallback : value;
}

function attachmentOf(line: CommandLine, surroundings: CnitoolSurroundings): Attachment {
  const { environment, workingDirectory } = surroundings;
  const netns = fromRoot(line.netns, workingDirectory);
  const ifName = line.ifName === "" ? variable(environment, "CNI_IFNAME", DEFAULT_IFNAME) : line.ifName;
  const capabilities = environment.get("CAP_ARGS");
  return {
    containerId: containerIdOf(netns),
    netns,
    ifName,
    args: parsePairs(environment.get("CNI_ARGS")),
    capabilityArgs: capabilities === "" ? noCapabilityArgs() : parseObject(capabilities, "CAP_ARGS"),
  };
}

/** `cnitool-` and the first 10 bytes of the path's SHA-512 in hexadecimal, as the reference's cnitool has it. */
export function containerIdOf(netns: string): string {
  return `cnitool-${textDigest(netns, 20)}`;
}

function fromRoot(path: string, workingDirectory: () => string): string {
  if (path === "" || path.startsWith("/")) return absolutePath(path, "/");
  let directory = "";
  try {
    directory = workingDirectory();
  } catch (error) {
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `cannot find ${path} from the working directory: ${messageOf(error)}`,
      "change to a directory that is there, or give the whole path",
    );
  }
  return absolutePath(path, directory);
}

/** The path from the root on, without empty, `.` and `..` parts. */
export function absolutePath(path: string, workingDirectory: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${workingDirectory}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function parsePairs(text: string): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const pair of text === "" ? [] : text.split(";")) {
    const words = pair.split("=");
    const name = words[0] ?? "";
    const value = words[1] ?? "";
    if (words.length !== 2 || name === "" || value === "") {
      throw new CniError(
        ErrorCode.InvalidEnvironment,
        `invalid CNI_ARGS pair "${pair}"`,
        "they are KEY=VALUE;KEY=VALUE",
      );
    }
    pairs.push([name, value]);
  }
  return pairs;
}

function describe(list: NetworkList, runtime: Runtime): string {
  const { plugins, capabilities } = runtime.validateNetworkList(list);
  const lines: string[] = [`network ${list.name}, cniVersion ${list.cniVersion === "" ? "0.1.0" : list.cniVersion}`];
  for (const plugin of plugins) lines.push(`plugin ${plugin.type}: ${plugin.versions.join(", ")}`);
  if (capabilities.length > 0) lines.push(`capabilities: ${capabilities.join(", ")}`);
  return `${lines.join("\n")}\n`;
}
