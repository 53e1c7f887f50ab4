/** Verbs for plugins that have nothing to do for one, with the reason in the plugin's own words where it uses them. */
import { invalidConfig } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import type { Gc, Status } from "./plugin.ts";

/** GC for a plugin whose every trace vanishes with the container's namespace. */
export function nothingToCollect<C>(_call: Gc<C>): void {}

/** STATUS for a plugin that needs nothing an ADD could lack. */
export function alwaysReady<C>(_call: Status<C>): void {}

/** The result that a chained plugin works on. @throws CniError 7 when there is none */
export function requirePrevResult(prevResult: Result | undefined, type: string): Result {
  if (prevResult !== undefined) return prevResult;
  throw invalidConfig(
    `${type}: required prevResult missing`,
    `put ${type} after the plugin that makes the interface in the list's "plugins"`,
  );
}

/** What CHECK compares with. @throws CniError 7 when the runtime gave none: nothing can be said about the container then */
export function requireCheckedResult(prevResult: Result | undefined, type: string): Result {
  if (prevResult !== undefined) return prevResult;
  throw invalidConfig(`${type}: Required prevResult missing`, "the runtime passes the result of ADD as prevResult");
}
