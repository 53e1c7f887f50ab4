/** The table of all plugins. A factory each: only the one that is run is built. */
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { bridge } from "../../plugins/bridge/bridge.ts";
import { loopback } from "../../plugins/loopback/loopback.ts";
import { ptp } from "../../plugins/ptp/ptp.ts";

/** The plugin of that name, or `undefined`. */
export function findOwnPlugin(name: string): Plugin | undefined {
  switch (name) {
    case "bridge":
      return bridge();
    case "loopback":
      return loopback();
    case "ptp":
      return ptp();
    default:
      return undefined;
  }
}
