/** Errors of a list's plugins: which one failed, and several as one. */
import { toCniError } from "../pkg/skel/cni-error.ts";
import { CniError } from "../spec/errors.ts";
import type { PluginConfig } from "./plugin-config.ts";

/** An error with the plugin and the verb in front, its code and details kept. */
export function failedPlugin(error: unknown, plugin: PluginConfig, verb: "add" | "delete"): CniError {
  return toCniError(error).during(`plugin ${plugin.describe()} failed (${verb})`);
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
