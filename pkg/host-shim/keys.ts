/** The key by which the host reaches a plugin's containers. */
import type { Keys } from "../../spec/keys.ts";

export function readHostShim(keys: Keys): boolean {
  return keys.flag(
    "hostShim",
    false,
    "give the host an interface of its own on the parent, by which it reaches its containers",
  );
}
