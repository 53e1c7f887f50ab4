/** The keys of host-local, all below `ipam` but for what the runtime and `args` ask for. */
import type { Address } from "../../pkg/ip/address.ts";
import { addressFormat, prefixFormat } from "../../spec/formats.ts";
import type { Keys } from "../../spec/keys.ts";
import type { Route } from "../../spec/result.ts";
import { readRoutes } from "../../spec/route-keys.ts";
import { RangeSet, type RangeSpec } from "./range.ts";
import { requestedFormat } from "./requested.ts";

const DEFAULT_DATA_DIR = "/var/lib/cni/networks";

export interface HostLocalConfig {
  /** In the order that gives `last_reserved_ip.N` its number. */
  readonly sets: readonly RangeSet[];
  readonly routes: readonly Route[];
  readonly dataDir: string;
  /** Empty when there is none. */
  readonly resolvConf: string;
  /** `args.cni.ips` */
  readonly argsIps: readonly Address[];
  /** `runtimeConfig.ips` */
  readonly runtimeIps: readonly Address[];
}

interface IpamKeys {
  readonly single: RangeSpec;
  readonly ranges: readonly (readonly RangeSpec[])[];
  readonly routes: readonly Route[];
  readonly dataDir: string;
  readonly resolvConf: string;
}

interface RuntimeKeys {
  readonly ips: readonly Address[];
  readonly ipRanges: readonly (readonly RangeSpec[])[];
}

export function config(keys: Keys): HostLocalConfig {
  if (!keys.has("ipam"))
    keys.refuse("IPAM config missing 'ipam' key", "", "host-local is an IPAM plugin: its keys are in ipam");
  const ipam = keys.members("ipam", ipamKeys, "the IPAM plugin's own configuration");
  const args = keys.members("args", argsKeys, "wishes of the runtime");
  const runtime = keys.members("runtimeConfig", runtimeKeys, "what capabilities bring");
  const specs: (readonly RangeSpec[])[] = [...runtime.ipRanges];
  if (ipam.single.subnet !== undefined) specs.push([ipam.single]);
  for (const set of ipam.ranges) specs.push(set);
  return {
    sets: finishSets(keys, specs),
    routes: ipam.routes,
    dataDir: ipam.dataDir,
    resolvConf: ipam.resolvConf,
    argsIps: args,
    runtimeIps: runtime.ips,
  };
}

function ipamKeys(keys: Keys): IpamKeys {
  keys.text("type", "host-local", "host-local");
  const ranges = keys.listOfLists("ranges", rangeKeys, "range sets: the container gets one address from each");
  const single = rangeKeys(keys);
  const routes = readRoutes(keys);
  const dataDir = keys.text(
    "dataDir",
    DEFAULT_DATA_DIR,
    "where the reservations are kept, a directory for each network",
  );
  const resolvConf = keys.text("resolvConf", "", "a resolv.conf whose content goes into the result's dns");
  return { single, ranges, routes, dataDir: dataDir === "" ? DEFAULT_DATA_DIR : dataDir, resolvConf };
}

/** Of a range in `ranges`, and of the one range that old configurations have beside `type`. */
function rangeKeys(keys: Keys): RangeSpec {
  const subnet = keys.optional("subnet", prefixFormat, "the network that addresses come from, without host bits");
  const rangeStart = keys.optional(
    "rangeStart",
    addressFormat,
    "first address to give; the subnet's first when left out",
  );
  const rangeEnd = keys.optional("rangeEnd", addressFormat, "last address to give; the subnet's last when left out");
  const gateway = keys.optional(
    "gateway",
    addressFormat,
    "never given, told as the gateway; the subnet's first when left out",
  );
  return { subnet, rangeStart, rangeEnd, gateway };
}

function argsKeys(keys: Keys): readonly Address[] {
  return keys.members("cni", argsCniKeys, "the conventional part of args");
}

function argsCniKeys(keys: Keys): readonly Address[] {
  return keys.formatted("ips", requestedFormat, "addresses to reserve, one from each range set at most");
}

function runtimeKeys(keys: Keys): RuntimeKeys {
  const ips = keys.formatted("ips", requestedFormat, "addresses to reserve, one from each range set at most");
  const ipRanges = keys.listOfLists("ipRanges", rangeKeys, "range sets that come before the configuration's own");
  return { ips, ipRanges };
}

/** Sets that cannot be used are reported and left out. */
function finishSets(keys: Keys, specs: readonly (readonly RangeSpec[])[]): RangeSet[] {
  const sets: RangeSet[] = [];
  for (const [index, ranges] of specs.entries()) {
    const { value, problem } = RangeSet.of(ranges);
    if (value === undefined) {
      keys.refuse(
        `invalid range set ${index}: ${problem}`,
        "",
        "of a range, rangeStart and rangeEnd are in subnet, which is a network's own address and prefix",
      );
      continue;
    }
    for (const [earlier, set] of sets.entries()) {
      if (set.overlaps(value)) {
        keys.refuse(
          `range set ${earlier} overlaps with ${index}`,
          "",
          "a container gets an address from each set: give each set ranges of its own",
        );
      }
    }
    sets.push(value);
  }
  if (specs.length === 0) keys.refuse("no IP ranges specified", "", 'give ipam a "ranges" or a "subnet"');
  return sets;
}
