/**
 * The one executable: the name it was started under, or its first argument, chooses the plugin or the tool.
 *   /opt/cni/bin/bridge            → the bridge plugin
 *   ferrule bridge                 → the same
 *   cnitool, ferrule cnitool       → the tool
 */
import { readFileSync, realpathSync } from "node:fs";
import { errno, lastWords, writeAll } from "#system";
import { AttachmentCache } from "../../libcni/cache.ts";
import { isSameFile } from "../../pkg/invoke/find-plugin.ts";
import type { Outcome } from "../../pkg/invoke/outcome.ts";
import { errnoName } from "../../pkg/linux/errno.ts";
import { attachCommand, attachOnStdin } from "../../pkg/linux/tap-device.ts";
import { armTermination } from "../../pkg/linux/termination.ts";
import { toCniError } from "../../pkg/skel/cni-error.ts";
import { dispatch } from "../../pkg/skel/dispatch.ts";
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { Environment } from "../../spec/environment.ts";
import { CniError, ErrorCode, renderError } from "../../spec/errors.ts";
import { newestVersion, versionsSince } from "../../spec/versions.ts";
import { cnitool } from "../cnitool/cnitool.ts";
import { pluginNames, toolNames } from "./names.ts";
import { findOwnPlugin } from "./plugins.ts";
import { referenceVersion, version } from "./version.ts";

/** Below the two minutes after which runtimes give up, so that a failing ADD can still take back its work. */
const DEADLINE_SECONDS = 100;

/** Writes a text whole; whether that succeeded, or `errno` tells why not. */
function print(descriptor: number, text: string): boolean {
  return text === "" || writeAll(descriptor, new TextEncoder().encode(text)) === 0;
}

function ownEnvironment(): Environment {
  const pairs: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) pairs.push([name, value]);
  return new Environment(pairs);
}

/** The words of this process's command line; the first is the name it was started under, which neither engine's argv[0] tells. */
function commandLine(): string[] {
  return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Seconds from FERRULE_DEADLINE, or the default. */
function deadlineSeconds(environment: Environment): number {
  const text = environment.get("FERRULE_DEADLINE");
  return text !== "" && /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : DEADLINE_SECONDS;
}

/** What an aborting process still prints: the error object that the specification asks of every failure. */
function rememberLastWords(cniVersion: string): void {
  const error = new CniError(
    ErrorCode.Internal,
    "the plugin aborted",
    "this is a bug: please report it with the network configuration; DEL removes what was left",
  );
  lastWords(new TextEncoder().encode(renderError(error, cniVersion)));
}

function warn(line: string): void {
  print(2, `${line}\n`);
}

function runPlugin(plugin: Plugin, environment: Environment, readStdin: () => string): Outcome {
  return dispatch(plugin, environment, {
    readStdin,
    warn,
    versionKnown: rememberLastWords,
    runInProcess,
  });
}

function runInProcess(type: string, environment: Environment, stdin: string): Outcome | undefined {
  const own = findOwnPlugin(type);
  return own === undefined ? undefined : runPlugin(own, environment, (): string => stdin);
}

function runTool(words: readonly string[]): Outcome {
  const environment = ownEnvironment();
  armTermination(deadlineSeconds(environment) * 1000);
  return cnitool(words, {
    environment,
    workingDirectory: (): string => workingDirectory(environment),
    runInProcess,
    warn: (line: string): void => warn(`cnitool: ${line}`),
    cache: new AttachmentCache(),
  });
}

/** As the shell calls it where it does (PWD), as in the reference. process.cwd() aborts natively where the directory is gone. */
function workingDirectory(environment: Environment): string {
  const named = environment.get("PWD");
  return named.startsWith("/") && isSameFile(named, ".") ? named : realpathSync(".");
}

function finish(outcome: Outcome): number {
  lastWords(new Uint8Array(0)); // or an abort from here on would print a second document
  print(2, outcome.stderr);
  if (print(1, outcome.stdout)) return outcome.status;
  // To the runtime an ADD has failed then, and it sends a DEL.
  warn(`cannot write the answer to stdout: ${errnoName(errno())}; what an ADD has made goes with its DEL`);
  return 1;
}

/**
 * What a plugin says when it is run by hand. nerdctl reads the version, and below the reference's 1.7.1 asks the firewall for less
 * than it can do; so the reference's stands first, and ours is what semantic versioning calls build metadata.
 */
function about(name: string): Outcome {
  const protocols = versionsSince(findOwnPlugin(name)?.since ?? "").join(", ");
  return {
    status: 0,
    stdout: "",
    stderr: `CNI ${name} plugin v${referenceVersion}+ferrule.${version}\nCNI protocol versions supported: ${protocols}\n`,
  };
}

/** Whatever goes wrong before a plugin has been found is still one JSON document. */
function main(): number {
  try {
    return run();
  } catch (error) {
    print(1, renderError(toCniError(error), newestVersion));
    return 1;
  }
}

function run(): number {
  const words = commandLine();
  const startedAs = baseName(words[0] ?? "");
  if (startedAs === "cnitool") return finish(runTool(words.slice(1)));
  const name = findOwnPlugin(startedAs) === undefined ? (words[1] ?? "") : startedAs;
  if (name === "cnitool") return finish(runTool(words.slice(2)));
  if (name === attachCommand) return attachOnStdin(words.slice(2));
  const plugin = findOwnPlugin(name);
  if (plugin === undefined) {
    const names = [...pluginNames, ...toolNames].join(", ");
    print(2, `ferrule v${version}: no plugin is called "${name === "" ? startedAs : name}"; it is one of ${names}\n`);
    return 1;
  }
  const environment = ownEnvironment();
  let outcome: Outcome;
  if (environment.get("CNI_COMMAND") === "") {
    outcome = about(name);
  } else {
    armTermination(deadlineSeconds(environment) * 1000);
    rememberLastWords(newestVersion);
    outcome = runPlugin(plugin, environment, (): string => readFileSync(0, "utf8"));
  }
  return finish(outcome);
}

// At once: taking every object apart would be a tenth of a short call.
process.exit(main());
