/**
 * Which sysctls a node's operator allows: one regular expression a line in /etc/cni/tuning/allowlist.conf, as the reference suite
 * reads it. Without that file everything below net is allowed; with an empty one nothing is.
 */
import { readFileSync } from "node:fs";
import { isFileError } from "../../pkg/linux/errno.ts";
import { CniError, invalidConfig, messageOf } from "../../spec/errors.ts";
import { compilePattern } from "./go-pattern.ts";

export const ALLOW_LIST = "/etc/cni/tuning/allowlist.conf";

/**
 * Refuses the first key that no line matches. Keys are compared as they are written, with IFNAME in them.
 * @throws CniError 7 for a key that is not allowed; `unusable` when the list is there and cannot be used: what it forbids is not
 * known then
 */
export function requireAllowed(keys: readonly string[], unusable: number): void {
  if (keys.length === 0) return;
  const lines = readLines(unusable);
  if (lines === undefined) return;
  const patterns: RegExp[] = [];
  for (const line of lines) patterns.push(understood(line, unusable));
  for (const key of keys) if (!patterns.some((pattern) => pattern.test(key))) throw refusal(key, lines);
}

/** Lines with something in them; `undefined` when there is no list. */
function readLines(unusable: number): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(ALLOW_LIST, "utf8");
  } catch (error) {
    if (isFileError(error, "ENOENT")) return undefined;
    throw failure(
      unusable,
      messageOf(error),
      "make it readable for root, or remove it when every sysctl below net is to be allowed",
    );
  }
  const lines: string[] = [];
  for (const line of text.split("\n")) if (line.trim() !== "") lines.push(line.trim());
  return lines;
}

function understood(line: string, unusable: number): RegExp {
  const pattern = compilePattern(line);
  if (pattern !== undefined) return pattern;
  throw failure(
    unusable,
    `"${line}" is no regular expression that is understood`,
    "use letters, classes, groups, repetition, ^ and $; no look-ahead, no back-reference, no Unicode classes",
  );
}

function failure(code: number, reason: string, details: string): CniError {
  return new CniError(code, `Cannot use the list of allowed sysctls ${ALLOW_LIST}: ${reason}`, details);
}

function refusal(key: string, lines: readonly string[]): CniError {
  return invalidConfig(
    `Sysctl ${key} is not allowed. Only the following sysctls are allowed: [${lines.join(" ")}]`,
    `remove it from the network configuration, or have the node's operator add a line to ${ALLOW_LIST}`,
  );
}
