/** flannel's configuration: where flanneld writes what it knows, and what is to be delegated to whom. */
import type { Keys } from "../../spec/keys.ts";

export interface FlannelConfig {
  readonly subnetFile: string;
  /** Where the delegates' configurations are remembered until DEL. */
  readonly dataDir: string;
  /** The plugin that makes the interface. */
  readonly delegateType: string;
  readonly ipamType: string;
}

const SUBNET_FILE = "/run/flannel/subnet.env";
const DATA_DIRECTORY = "/var/lib/cni/flannel";

export const config = (keys: Keys): FlannelConfig => ({
  // Empty counts as absent, as in the reference.
  subnetFile: keys.text("subnetFile", SUBNET_FILE, "the file that flanneld writes") || SUBNET_FILE,
  dataDir: keys.text("dataDir", DATA_DIRECTORY, "directory of the delegates' configurations") || DATA_DIRECTORY,
  delegateType: keys.members("delegate", readDelegate, "the configuration of the plugin that makes the interface"),
  ipamType: keys.members("ipam", readIpam, "what the delegate's ipam is built upon"),
});

function readDelegate(keys: Keys): string {
  const type = keys.text("type", "bridge", "that plugin's name");
  if (type === "")
    keys.refuse(
      "'delegate' dictionary, if present, must have (string) 'type' field",
      "type",
      "or leave it out: bridge",
    );
  if (type === "flannel")
    keys.refuse("flannel cannot delegate to itself", "type", "name the plugin that makes the interface");
  for (const name of ["name", "ipam"]) {
    if (!keys.has(name)) continue;
    const advice =
      name === "ipam" ? 'put "ipam" beside "delegate", not into it' : "the network's own name is passed on";
    keys.refuse(`'delegate' dictionary must not have '${name}' field, it'll be set by flannel`, name, advice);
  }
  return type;
}

function readIpam(keys: Keys): string {
  const routes = keys.anything("routes", "routes beside those to flannel's networks");
  if (routes !== undefined && !Array.isArray(routes)) keys.refuse("expected a list", "routes");
  return keys.text("type", "host-local", "the IPAM plugin");
}
