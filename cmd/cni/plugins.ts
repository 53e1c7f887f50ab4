/** The table of all plugins. A factory each: only the one that is run is built. */
import { hostLocal } from "../../ipam/host-local/host-local.ts";
import { staticIpam } from "../../ipam/static/static.ts";
import type { Plugin } from "../../pkg/skel/plugin.ts";
import { bandwidth } from "../../plugins/bandwidth/bandwidth.ts";
import { bridge } from "../../plugins/bridge/bridge.ts";
import { dummy } from "../../plugins/dummy/dummy.ts";
import { firewall } from "../../plugins/firewall/firewall.ts";
import { flannel } from "../../plugins/flannel/flannel.ts";
import { hostDevice } from "../../plugins/host-device/host-device.ts";
import { ipvlan } from "../../plugins/ipvlan/ipvlan.ts";
import { loopback } from "../../plugins/loopback/loopback.ts";
import { macvlan } from "../../plugins/macvlan/macvlan.ts";
import { portmap } from "../../plugins/portmap/portmap.ts";
import { ptp } from "../../plugins/ptp/ptp.ts";
import { sbr } from "../../plugins/sbr/sbr.ts";
import { tap } from "../../plugins/tap/tap.ts";
import { tuning } from "../../plugins/tuning/tuning.ts";
import { vlan } from "../../plugins/vlan/vlan.ts";
import { vrf } from "../../plugins/vrf/vrf.ts";

/** The plugin of that name, or `undefined`. */
export function findOwnPlugin(name: string): Plugin | undefined {
  switch (name) {
    case "bandwidth":
      return bandwidth();
    case "bridge":
      return bridge();
    case "dummy":
      return dummy();
    case "firewall":
      return firewall();
    case "flannel":
      return flannel();
    case "host-device":
      return hostDevice();
    case "host-local":
      return hostLocal();
    case "ipvlan":
      return ipvlan();
    case "loopback":
      return loopback();
    case "macvlan":
      return macvlan();
    case "portmap":
      return portmap();
    case "ptp":
      return ptp();
    case "sbr":
      return sbr();
    case "static":
      return staticIpam();
    case "tap":
      return tap();
    case "tuning":
      return tuning();
    case "vlan":
      return vlan();
    case "vrf":
      return vrf();
    default:
      return undefined;
  }
}
