/** The table of all plugins. A factory each: only the one that is run is built. */
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { loopback } from "../../plugins/loopback/loopback.ts";

/** The plugin of that name, or `undefined`. */
export function findOwnPlugin(name: string): Plugin | undefined {
  switch (name) {
    case "loopback":
      return loopback();
    default:
      return undefined;
  }
}
