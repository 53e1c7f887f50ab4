/** Keys of a configuration that look like a slip of the pen. Used on ADD, which is when an operator looks. */
import type { Keys } from "../../spec/keys.ts";

/** Keys of every network configuration, which a plugin need not ask for. */
const commonKeys: readonly string[] = [
  "args",
  "capabilities",
  "cniVersion",
  "cniVersions",
  "disableCheck",
  "disableGC",
  "dns",
  "ipam",
  "ipMasq",
  "loadOnlyInlinedPlugins",
  "name",
  "plugins",
  "prevResult",
  "runtimeConfig",
  "type",
];

/** A line for each unknown key that is close to a known one; other unknown keys are somebody else's and pass. */
export function misspeltKeys(type: string, keys: Keys): string[] {
  const lines: string[] = [];
  for (const name of keys.unasked()) {
    if (isCommon(name)) continue;
    const meant = keys.meantBy(name);
    if (meant !== undefined) lines.push(`${type}: unknown key "${name}" is ignored: did you mean "${meant}"?`);
  }
  return lines;
}

function isCommon(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith("cni.dev/") || commonKeys.some((key) => key.toLowerCase() === lower);
}
