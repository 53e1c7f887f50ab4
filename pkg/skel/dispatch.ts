/**
 * One call of a plugin from its environment and stdin to its stdout and exit status: verb, variables, version gate, guards,
 * then the plugin. Pure but for the plugin itself, so that a delegate can run in the caller's process.
 */
import { parseResult, renderResult } from "../../spec/convert.ts";
import { type Environment, requireVariables, type Verb, verbNamed } from "../../spec/environment.ts";
import { CniError, ErrorCode, messageOf, renderError } from "../../spec/errors.ts";
import { NetworkConfig } from "../../spec/network-config.ts";
import type { Result } from "../../spec/result.ts";
import { findVersion, newestVersion, renderVersions, versionsSince } from "../../spec/versions.ts";
import { Delegates } from "../invoke/delegates.ts";
import type { RunInProcess } from "../invoke/invoke.ts";
import type { Outcome } from "../invoke/outcome.ts";
import { Attachment } from "./attachment.ts";
import { toCniError } from "./cni-error.ts";
import type { Plugin, Request } from "./plugin.ts";
import { Sandbox } from "./sandbox.ts";
import { ValidAttachments } from "./valid-attachments.ts";

/** What a call needs from the process around it. */
export interface Surroundings {
  readonly readStdin: () => string;
  readonly warn: (line: string) => void;
  readonly runInProcess: RunInProcess;
  /** Told the configuration's version as soon as it is known: the last words of an aborting process carry it. */
  readonly versionKnown: (cniVersion: string) => void;
}

/** Runs one call and says what to print and how to end. Never throws. */
export function dispatch(plugin: Plugin, environment: Environment, surroundings: Surroundings): Outcome {
  const command = environment.get("CNI_COMMAND");
  const spoken = new Spoken();
  try {
    const verb = verbNamed(command);
    if (verb === "VERSION") return success(renderVersions(plugin.since, newestVersion));
    if (verb !== undefined) requireVariables(environment, verb);
    const network = readConfig(surroundings, spoken);
    if (verb === undefined) {
      throw new CniError(
        ErrorCode.InvalidEnvironment,
        `unknown CNI_COMMAND: ${command}`,
        "one of ADD, DEL, CHECK, GC, STATUS, VERSION",
      );
    }
    checkVersion(plugin, network, verb);
    return success(runGuarded(plugin, verb, network, environment, surroundings));
  } catch (error) {
    return { status: 1, stdout: renderError(toCniError(error), spoken.version), stderr: "" };
  }
}

/** The version that answers are given in: the newest until the configuration has said its own. */
class Spoken {
  version: string = newestVersion;
}

function success(stdout: string): Outcome {
  return { status: 0, stdout, stderr: "" };
}

function readConfig(surroundings: Surroundings, spoken: Spoken): NetworkConfig {
  let text = "";
  try {
    text = surroundings.readStdin();
  } catch (error) {
    throw new CniError(
      ErrorCode.Io,
      `error reading from stdin: ${messageOf(error)}`,
      "a runtime gives the network configuration there, by a pipe or a file",
    );
  }
  const network = new NetworkConfig(text);
  const version = findVersion(network.cniVersion);
  if (version !== undefined) {
    spoken.version = version.name;
    surroundings.versionKnown(version.name);
  }
  return network;
}

function checkVersion(plugin: Plugin, network: NetworkConfig, verb: Verb): void {
  const version = findVersion(network.cniVersion);
  const supported = versionsSince(plugin.since);
  if (version === undefined || !supported.includes(version.name)) {
    const quoted: string[] = [];
    for (const name of supported) quoted.push(`"${name}"`);
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      "incompatible CNI versions",
      `config is "${network.cniVersion}", plugin supports [${quoted.join(" ")}]`,
    );
  }
  const allowed = verb === "CHECK" ? version.check : verb === "GC" || verb === "STATUS" ? version.gcAndStatus : true;
  if (!allowed) {
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      `config version does not allow ${verb}`,
      `${verb} needs cniVersion ${verb === "CHECK" ? "0.4.0" : "1.1.0"} or newer, this network has ${version.name}`,
    );
  }
}

function runGuarded(
  plugin: Plugin,
  verb: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS",
  network: NetworkConfig,
  environment: Environment,
  surroundings: Surroundings,
): string {
  const perContainer = verb === "ADD" || verb === "DEL" || verb === "CHECK";
  const sandbox = new Sandbox(perContainer ? environment.get("CNI_NETNS") : "");
  try {
    if (perContainer) guardNamespace(plugin, verb, sandbox, environment, surroundings.warn);
    if (verb === "GC" && network.validAttachments === undefined) {
      surroundings.warn(
        `${plugin.type}: GC without cni.dev/valid-attachments: nothing is known to be stale, nothing removed`,
      );
      return "";
    }
    const request: Request = {
      verb,
      network,
      environment,
      delegates: new Delegates(environment, network, surroundings.runInProcess),
      attachment: new Attachment(network.name, environment.get("CNI_CONTAINERID"), environment.get("CNI_IFNAME")),
      sandbox,
      prevResult: perContainer ? readPrevResult(verb, network, surroundings) : undefined,
      valid: new ValidAttachments(network),
      warn: surroundings.warn,
    };
    return plugin.run(request, (result: Result): string => renderResult(result, network.cniVersion));
  } finally {
    sandbox.close();
  }
}

/**
 * Before anything is changed: our own namespace is no container's. For DEL the container's is gone then, for what leads to ours is a
 * /proc/PID/ns/net whose PID is another process's by now, and what is left on the host is to go all the same.
 */
function guardNamespace(
  plugin: Plugin,
  verb: Verb,
  sandbox: Sandbox,
  environment: Environment,
  warn: (line: string) => void,
): void {
  const override = environment.get("CNI_NETNS_OVERRIDE").toLowerCase();
  if (override !== "1" && override !== "true" && sandbox.isOwn()) {
    if (verb === "DEL") {
      warn(
        `${plugin.type}: CNI_NETNS ${sandbox.path} is the plugin's own namespace by now: the container's counts as gone`,
      );
      sandbox.giveUp();
      return;
    }
    throw new CniError(
      ErrorCode.OwnNamespace,
      "plugin's netns and netns from CNI_NETNS should not be the same",
      `CNI_NETNS is ${sandbox.path}: give the container a network namespace of its own, or set CNI_NETNS_OVERRIDE=1`,
    );
  }
  if (plugin.entersSandbox && verb !== "DEL") sandbox.stack;
}

/** DEL goes on without a prevResult that cannot be read: the kernel's tags tell it what to remove. */
function readPrevResult(verb: Verb, network: NetworkConfig, surroundings: Surroundings): Result | undefined {
  const value = network.object.get("prevResult");
  if (value === undefined) return undefined;
  try {
    return parseResult(value, network.cniVersion, "prevResult");
  } catch (error) {
    if (verb !== "DEL") throw error;
    surroundings.warn(`prevResult is ignored: ${messageOf(error)}`);
    return undefined;
  }
}
