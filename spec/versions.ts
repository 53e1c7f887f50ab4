/** Every version of the specification, and what each one knows. The only place that compares versions. */
import { CniError, ErrorCode } from "./errors.ts";

/** The shape a result is written in: `020` (0.1, 0.2), `040` (0.3, 0.4) or `100` (1.0, 1.1). */
export type ResultShape = "020" | "040" | "100";

/** One row of the table. */
export interface SpecVersion {
  readonly name: string;
  readonly shape: ResultShape;
  /** CHECK exists, and DEL gets prevResult. */
  readonly check: boolean;
  /** GC and STATUS exist; interfaces and routes have their newer fields. */
  readonly gcAndStatus: boolean;
}

/** Oldest first. */
export const specVersions: readonly SpecVersion[] = [
  { name: "0.1.0", shape: "020", check: false, gcAndStatus: false },
  { name: "0.2.0", shape: "020", check: false, gcAndStatus: false },
  { name: "0.3.0", shape: "040", check: false, gcAndStatus: false },
  { name: "0.3.1", shape: "040", check: false, gcAndStatus: false },
  { name: "0.4.0", shape: "040", check: true, gcAndStatus: false },
  { name: "1.0.0", shape: "100", check: true, gcAndStatus: false },
  { name: "1.1.0", shape: "100", check: true, gcAndStatus: true },
];

export const oldestVersion = "0.1.0";
export const newestVersion = "1.1.0";

/** The row of a version named exactly; a configuration without cniVersion means 0.1.0. */
export function findVersion(name: string): SpecVersion | undefined {
  return specVersions.find((version) => version.name === (name === "" ? oldestVersion : name));
}

/** The names from `oldest` on, oldest first: what a plugin answers to VERSION. */
export function versionsSince(oldest: string): string[] {
  const names: string[] = [];
  for (const version of specVersions) if (names.length > 0 || version.name === oldest) names.push(version.name);
  return names;
}

/**
 * Below, at or above zero as `a` is older than, as old as or newer than `b`. Missing parts count as zero, an empty name as 0.1.0.
 * @throws CniError 6 when a name is not one to three numbers joined by dots
 */
export function compareVersions(a: string, b: string): number {
  const left = versionParts(a);
  const right = versionParts(b);
  return left.major - right.major || left.minor - right.minor || left.micro - right.micro;
}

interface VersionParts {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

function versionParts(name: string): VersionParts {
  const parts = (name === "" ? oldestVersion : name).split(".");
  if (parts.length > 3) throw new CniError(ErrorCode.Decode, `invalid version "${name}": too many parts`);
  return {
    major: versionPart("major", parts[0] ?? "0"),
    minor: versionPart("minor", parts[1] ?? "0"),
    micro: versionPart("micro", parts[2] ?? "0"),
  };
}

function versionPart(which: string, digits: string): number {
  if (/^[0-9]+$/.test(digits)) return Number(digits);
  throw new CniError(ErrorCode.Decode, `failed to convert ${which} version part "${digits}": it is not a number`);
}

interface VersionDocument {
  readonly cniVersion: string;
  readonly supportedVersions: readonly string[];
}

/** The answer to VERSION: one line, with its newline. */
export function renderVersions(oldest: string, answerVersion: string): string {
  const document: VersionDocument = { cniVersion: answerVersion, supportedVersions: versionsSince(oldest) };
  return `${JSON.stringify(document)}\n`;
}
