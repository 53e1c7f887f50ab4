/**
 * Results between versions: the only place that knows the older shapes (SPEC section 5 and its earlier editions).
 * Parsing takes any version up to the newest model; rendering takes the newest model down to any version.
 */
import { CniError, ErrorCode } from "./errors.ts";
import type { Result } from "./result.ts";
import { resultObject, textAt } from "./results/members.ts";
import { parse020, render020 } from "./results/v020.ts";
import { parse040, render040 } from "./results/v040.ts";
import { parse100, render100 } from "./results/v100.ts";
import { findVersion, type ResultShape, specVersions } from "./versions.ts";

/**
 * The result document for a configuration of version `cniVersion` (empty means 0.1.0), indented by four spaces.
 * @throws CniError 1 for an unknown version or when the shape cannot say it (0.1 and 0.2 need an address)
 */
export function renderResult(result: Result, cniVersion: string): string {
  const version = findVersion(cniVersion);
  if (version === undefined)
    throw new CniError(ErrorCode.IncompatibleVersion, `unsupported CNI result version "${cniVersion}"`);
  switch (version.shape) {
    case "020":
      return JSON.stringify(render020(result, version.name), null, 4);
    case "040":
      return JSON.stringify(render040(result, version.name), null, 4);
    case "100":
      return JSON.stringify(render100(result, version.name), null, 4);
  }
}

/**
 * Reads a result that belongs to a configuration of version `cniVersion`. Its own cniVersion, when it has one,
 * must be of the same shape. `subject` names it in errors ("prevResult").
 * @throws CniError 1 on a version of another shape, 6 on members of the wrong type
 */
export function parseResult(value: unknown, cniVersion: string, subject: string): Result {
  const wanted = findVersion(cniVersion);
  if (wanted === undefined)
    throw new CniError(ErrorCode.IncompatibleVersion, `unsupported CNI result version "${cniVersion}"`);
  const object = resultObject(value, subject);
  const ownName = textAt(object, "cniVersion", subject);
  if (ownName !== "" && findVersion(ownName)?.shape !== wanted.shape) {
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      `could not parse ${subject}: result type supports [${versionsOf(wanted.shape).join(" ")}] but unmarshalled CNIVersion is "${ownName}"`,
      `give the plugin a ${subject} of the configuration's version`,
    );
  }
  switch (wanted.shape) {
    case "020":
      return parse020(object, subject);
    case "040":
      return parse040(object, subject);
    case "100":
      return parse100(object, subject);
  }
}

function versionsOf(shape: ResultShape): string[] {
  const names: string[] = [];
  for (const version of specVersions) if (version.shape === shape) names.push(version.name);
  return names;
}
