/** New TCP connections from outside through a port mapping into a container: what the rules cost a packet. Runs under Bun. */
import { closeSync } from "node:fs";
import { connect, setsockopt, socket } from "../../pkg/linux/system.bun.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import type { BenchNode, Container, PluginConfig } from "./bench-node.ts";
import type { Timing } from "./timed-process.ts";

/** bits/socket.h, bits/socket_type.h, asm-generic/socket.h */
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const HOST_PORT = 8080;
/** Fewer than wait in a listening socket's queue, since nothing is accepted meanwhile. */
const CONNECTIONS_PER_ROUND = 100;

type PortmapFor = (address: string, container: Container, firstHostPort: number, count: number) => PluginConfig;

/** Sets up a container with a mapped port; measures, at each call, the median time of connecting to it. */
export async function mappedConnections(node: BenchNode, portmapFor: PortmapFor): Promise<() => Promise<Timing>> {
  const outside = node.outside();
  const container = node.container("service");
  const ipam = {
    type: "host-local",
    dataDir: `${node.stateDirectory}/service`,
    ranges: [[{ subnet: "10.88.0.0/16" }]],
  };
  const added = node.call({ type: "bridge", isDefaultGateway: true, ipam }, "ADD", container);
  const address = (JSON.parse(added.stdout) as { ips: { address: string }[] }).ips[0]?.address.split("/")[0] ?? "";
  node.call(portmapFor(address, container, HOST_PORT, 1), "ADD", container);
  const sandbox = NetworkNamespace.open(container.netns);
  sandbox.enter(() => Bun.listen({ hostname: "0.0.0.0", port: 80, socket: { data: () => undefined } }));
  const client = NetworkNamespace.open(`/run/netns/${outside}`);
  return async () => {
    const times = client.enter(() => Array.from({ length: CONNECTIONS_PER_ROUND }, () => connectOnce(node)));
    await Bun.sleep(20); // so that the service accepts them
    const wallMs = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
    return { wallMs, cpuMs: wallMs };
  };
}

/** Milliseconds until the three-way handshake is done. */
function connectOnce(node: BenchNode): number {
  const descriptor = socket(AF_INET, SOCK_STREAM, 0);
  // struct linger: closing resets the connection, which leaves no port waiting.
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  // struct sockaddr_in: family, port in network order, 192.0.2.1
  const address = new Uint8Array([AF_INET, 0, HOST_PORT >> 8, HOST_PORT & 0xff, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const start = Bun.nanoseconds();
  const result = connect(descriptor, address);
  const elapsed = (Bun.nanoseconds() - start) / 1e6;
  closeSync(descriptor);
  if (result < 0) throw new Error(`${node.suite}: the mapped port cannot be connected to`);
  return elapsed;
}
