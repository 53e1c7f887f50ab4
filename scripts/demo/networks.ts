/** The demonstration's networks, as an administrator configures them. */

const bridge = {
  type: "bridge",
  bridge: "cni0",
  isDefaultGateway: true,
  ipMasq: true,
  ipam: { type: "host-local", ranges: [[{ subnet: "10.88.0.0/24" }], [{ subnet: "fd00:88::/64" }]] },
};
const chained = [
  { type: "portmap", capabilities: { portMappings: true } },
  { type: "firewall" },
  { type: "tuning", sysctl: { "net.core.somaxconn": "500" } },
  { type: "bandwidth", capabilities: { bandwidth: true } },
];
export const network = { cniVersion: "1.1.0", name: "podnet", plugins: [bridge, ...chained] };
/** What the runtime says of the container web. */
export const forWeb = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  bandwidth: { ingressRate: 50_000_000, egressRate: 50_000_000 },
};

/** A second network, as kube-flannel writes it; what flanneld has for the node is in subnet.env. */
export const flannelNetwork = {
  cniVersion: "1.0.0",
  name: "cbr0",
  plugins: [
    { type: "flannel", delegate: { bridge: "cni1", hairpinMode: true, isDefaultGateway: true } },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};
export const subnetFile = [
  "FLANNEL_NETWORK=10.244.0.0/16",
  "FLANNEL_SUBNET=10.244.3.1/24",
  "FLANNEL_MTU=1450",
  "FLANNEL_IPMASQ=true",
  "",
].join("\n");

/** The first one as it is shown. */
export function describeNetwork(): string {
  return [
    `{ "cniVersion": "1.1.0", "name": "podnet", "plugins": [`,
    `  ${JSON.stringify(bridge).replace('"ipam"', '\n    "ipam"')},`,
    chained.map((plugin) => `  ${JSON.stringify(plugin)}`).join(",\n"),
    "] }",
  ].join("\n");
}
