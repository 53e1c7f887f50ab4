/** Every name that the executable answers to: it is hard-linked under each in the plugin directory. */
export const pluginNames: readonly string[] = [
  "bandwidth",
  "bridge",
  "dummy",
  "firewall",
  "flannel",
  "host-device",
  "host-local",
  "ipvlan",
  "loopback",
  "macvlan",
  "portmap",
  "ptp",
  "sbr",
  "static",
  "tap",
  "tuning",
  "vlan",
  "vrf",
];
export const toolNames: readonly string[] = ["cnitool"];
