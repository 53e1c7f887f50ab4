/** The table of all plugins. A factory each: only the one that is run is built. */
import { hostLocal } from "../../ipam/host-local/host-local.ts";
import { staticIpam } from "../../ipam/static/static.ts";
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { bridge } from "../../plugins/bridge/bridge.ts";
import { ipvlan } from "../../plugins/ipvlan/ipvlan.ts";
import { loopback } from "../../plugins/loopback/loopback.ts";
import { macvlan } from "../../plugins/macvlan/macvlan.ts";
import { portmap } from "../../plugins/portmap/portmap.ts";
import { ptp } from "../../plugins/ptp/ptp.ts";
import { tap } from "../../plugins/tap/tap.ts";

/** The plugin of that name, or `undefined`. */
export function findOwnPlugin(name: string): Plugin | undefined {
  switch (name) {
    case "bridge":
      return bridge();
    case "host-local":
      return hostLocal();
    case "ipvlan":
      return ipvlan();
    case "loopback":
      return loopback();
    case "macvlan":
      return macvlan();
    case "ptp":
      return ptp();
    case "static":
      return staticIpam();
    case "portmap":
      return portmap();
    case "tap":
      return tap();
    default:
      return undefined;
  }
}
