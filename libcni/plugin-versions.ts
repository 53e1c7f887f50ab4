/** What plugins answer to VERSION (SPEC section 2, "VERSION"). */
import { CniError, ErrorCode } from "../spec/errors.ts";
import { JsonObject } from "../spec/json.ts";

/** The versions in a plugin's answer. @throws CniError 103 when it is none */
export function decodeVersions(printed: string, type: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch (_) {
    throw rubbish(type, `it is not JSON: "${printed.slice(0, 400)}"`);
  }
  const object = JsonObject.of(value);
  const cniVersion = object?.text("cniVersion") ?? "";
  if (object === undefined || cniVersion === "") throw rubbish(type, "it has no cniVersion");
  const versions = object.texts("supportedVersions");
  if (versions.length > 0) return versions;
  // The list was optional when the verb was new.
  if (cniVersion === "0.2.0") return ["0.1.0", "0.2.0"];
  throw rubbish(type, "it has no supportedVersions");
}

function rubbish(type: string, reason: string): CniError {
  return new CniError(ErrorCode.DelegateFailed, `cannot decode what plugin ${type} answers to VERSION: ${reason}`);
}
