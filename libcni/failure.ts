/** Whatever was thrown on a plugin's way, as an error that says which plugin failed. */
import { adviceFor } from "../pkg/linux/advice.ts";
import { KernelError } from "../pkg/linux/errno.ts";
import { Interrupted } from "../pkg/linux/termination.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { PluginConfig } from "./plugin-config.ts";

/** An error with the plugin and the verb in front, its code and details kept. */
export function failedPlugin(error: unknown, plugin: PluginConfig, verb: "add" | "delete"): CniError {
  return asCniError(error).during(`plugin ${plugin.describe()} failed (${verb})`);
}

/** For what a `catch` gets. */
export function asCniError(error: unknown): CniError {
  return error instanceof Error ? fromError(error) : new CniError(ErrorCode.Internal, "unknown error");
}

function fromError(error: Error): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof Interrupted) return new CniError(ErrorCode.TryAgain, error.message);
  if (error instanceof KernelError) return new CniError(ErrorCode.Io, error.message, adviceFor(error));
  const code = (error as NodeJS.ErrnoException).code;
  return new CniError(typeof code === "string" ? ErrorCode.Io : ErrorCode.Internal, error.message, adviceFor(error));
}

/** All failures as one: the first one's code, a line each. No failure is no error. @throws CniError */
export function throwAll(failures: readonly CniError[]): void {
  const first = failures.at(0);
  if (first === undefined) return;
  // Made anew: natively an error loses its class when it is thrown from a list (test/libcni/cnitool.test.ts).
  if (failures.length === 1) throw new CniError(first.code, first.message, first.details);
  const lines: string[] = [];
  for (const failure of failures) {
    lines.push(failure.details === "" ? failure.message : `${failure.message}; ${failure.details}`);
  }
  throw new CniError(first.code, lines.join("\n"));
}
