/**
 * Runs a plugin: in this process when it is one of ours under another name, else as the specification says: variables in the
 * environment, configuration on stdin, result or error on stdout. Used for delegates and by libcni.
 */
import type { Environment } from "../../spec/environment.ts";
import { CniError, ErrorCode, messageOf } from "../../spec/errors.ts";
import { JsonObject } from "../../spec/json.ts";
import { isKernelError } from "../linux/errno.ts";
import { type ProcessOutcome, runProcess } from "../linux/process.ts";
import { remainingMs } from "../linux/termination.ts";
import { findPlugin, isSameFile } from "./find-plugin.ts";
import type { Outcome } from "./outcome.ts";

/** Runs the plugin of that name in this process; `undefined` when there is none of that name here. */
export type RunInProcess = (type: string, environment: Environment, stdin: string) => Outcome | undefined;

/** What a delegate may take of the time that is left, so that its caller can still take back its work. */
const RESERVED_MS = 5000;
const SHORTEST_MS = 1000;

/**
 * The plugin's stdout. `environment` has all CNI_* variables as the plugin is to see them.
 * @throws CniError the plugin's own error when it printed one; 103 when it could not be run, hung, or printed something else
 */
export function invoke(type: string, environment: Environment, stdin: string, inProcess: RunInProcess): string {
  const path = findPlugin(type, environment.get("CNI_PATH"));
  const outcome =
    (isSameFile(path, "/proc/self/exe") ? inProcess(type, environment, stdin) : undefined) ??
    execute(type, path, environment, stdin);
  if (outcome.status === 0) return outcome.stdout;
  throw pluginError(type, path, outcome);
}

function execute(type: string, path: string, environment: Environment, stdin: string): Outcome {
  const timeoutMs = Math.max(SHORTEST_MS, remainingMs() - RESERVED_MS);
  const child = run(type, path, environment, stdin, timeoutMs);
  if (child.timedOut) {
    throw new CniError(
      ErrorCode.DelegateFailed,
      `plugin "${type}" (${path}) did not end within ${Math.round(timeoutMs / 1000)} s and was killed`,
      "see what it waits for: a lock, a daemon, or the network",
    );
  }
  return { status: child.status, stdout: child.stdout, stderr: child.stderr };
}

function run(type: string, path: string, environment: Environment, stdin: string, timeoutMs: number): ProcessOutcome {
  try {
    return runProcess({
      path,
      argv: [path],
      environment: environment.toStrings(),
      stdin,
      timeoutMs,
      forwardStderr: true,
    });
  } catch (error) {
    if (!isKernelError(error, "EACCES") && !isKernelError(error, "ENOEXEC")) throw error;
    throw new CniError(
      ErrorCode.DelegateFailed,
      `cannot start plugin "${type}": ${messageOf(error)}`,
      "make it executable (chmod +x), and see that it was built for this machine",
    );
  }
}

/** The error that a failed plugin printed, or one that says what it printed instead. */
function pluginError(type: string, path: string, outcome: Outcome): CniError {
  const printed = outcome.stdout.trim();
  if (printed === "") {
    const words = outcome.stderr.trim();
    const how = `exit status ${outcome.status}`;
    return new CniError(
      ErrorCode.DelegateFailed,
      words === "" ? `netplugin failed with no error message: ${how}` : `netplugin failed: "${words}": ${how}`,
      `plugin "${type}" is ${path}`,
    );
  }
  let document: JsonObject | undefined;
  try {
    const value: unknown = JSON.parse(printed);
    document = JsonObject.of(value);
  } catch (_) {
    document = undefined;
  }
  const message = document?.text("msg");
  const code = document?.number("code");
  if (message === undefined && code === undefined) {
    return new CniError(
      ErrorCode.DelegateFailed,
      `netplugin failed but its diagnostic message is no CNI error: "${printed.slice(0, 400)}"`,
      `plugin "${type}" is ${path}`,
    );
  }
  return new CniError(
    code ?? ErrorCode.DelegateFailed,
    message ?? `plugin "${type}" failed`,
    document?.text("details") ?? "",
  );
}
