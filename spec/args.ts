/** CNI_ARGS: `KEY=value;KEY=value` (SPEC section 2; deprecated in favour of `args.cni`, and still sent by every runtime). */
import { CniError, ErrorCode } from "./errors.ts";

function badArgs(reason: string, advice = "CNI_ARGS is KEY=VALUE;KEY=VALUE"): CniError {
  return new CniError(ErrorCode.InvalidEnvironment, `ARGS: ${reason}`, advice);
}

/**
 * The values of the keys a plugin accepts. A key given twice: the last wins. Keys are case-sensitive.
 * @throws CniError 4 on a malformed pair, or on an unknown key unless IgnoreUnknown is true
 */
export function parseArgs(text: string, accepted: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  let ignoreUnknown = false;
  for (const pair of text === "" ? [] : text.split(";")) {
    const parts = pair.split("=");
    const key = parts[0] ?? "";
    const value = parts[1] ?? "";
    if (parts.length !== 2) throw badArgs(`invalid pair "${pair}"`);
    if (key === "IgnoreUnknown") ignoreUnknown = parseFlag(pair, value);
    else if (accepted.includes(key)) values.set(key, value);
    else unknown.push(`"${pair}"`);
  }
  if (unknown.length > 0 && !ignoreUnknown) {
    throw badArgs(`unknown args [${unknown.join(" ")}]`, "add IgnoreUnknown=1 to pass keys a plugin does not know");
  }
  return values;
}

function parseFlag(pair: string, value: string): boolean {
  const lower = value.toLowerCase();
  if (lower === "1" || lower === "true") return true;
  if (lower === "0" || lower === "false") return false;
  throw badArgs(`error parsing value of pair "${pair}": neither true nor false`);
}
