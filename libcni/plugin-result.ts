/** Results between plugins, cache and runtime: JSON text in a version of the specification, otherwise as the plugin printed it. */
import { parseResult, renderResult } from "../spec/convert.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { JsonObject } from "../spec/json.ts";
import { JsonMembers } from "../spec/json-members.ts";

/**
 * The result that a plugin printed, for a configuration of version `cniVersion`, which it also has when it does not say its own.
 * @throws CniError 6 or 103 when it is no result, 1 when its version is unknown or has nothing to say it in
 */
export function readPrinted(printed: string, cniVersion: string, subject: string): string {
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch (_) {
    throw new CniError(
      ErrorCode.DelegateFailed,
      `${subject} is not JSON: "${printed.slice(0, 400)}"`,
      "a plugin's stdout must be one JSON document; its log belongs on stderr",
    );
  }
  return value === null ? toVersion({}, cniVersion, subject) : toVersion(value, cniVersion, subject);
}

/** A cached result (JSON text) in the version `cniVersion`. @throws CniError 1 or 6 */
export function convertCached(result: string, cniVersion: string): string {
  const value: unknown = JSON.parse(result);
  return toVersion(value, cniVersion, "the cached result");
}

/** The result indented by four spaces, as runtimes print it. */
export function prettyResult(result: string): string {
  const value: unknown = JSON.parse(result);
  return JSON.stringify(value, null, 4);
}

function toVersion(value: unknown, cniVersion: string, subject: string): string {
  const object = JsonObject.of(value);
  if (object === undefined) throw new CniError(ErrorCode.Decode, `cannot decode ${subject}: expected an object`);
  const own = object.text("cniVersion") ?? "";
  const ownVersion = own === "" ? cniVersion : own;
  const result = parseResult(value, ownVersion, subject);
  if (ownVersion === cniVersion) return JsonMembers.of(object).lead("cniVersion", cniVersion).toString();
  const converted: unknown = JSON.parse(renderResult(result, cniVersion));
  return JSON.stringify(converted);
}
