/** Cases of one plugin alone: what a process costs at least, and what does not grow with what a node already has. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { BenchNode, Container, PluginConfig } from "./bench-node.ts";
import type { Budget, Case, Course } from "./case.ts";
import { mappedConnections } from "./mapped-connections.ts";

const versionCase: Case = {
  title: "start",
  rows: [{ title: "VERSION", budget: { wall: 0.3, cpu: 0.3 } }],
  plugins: ["bridge"],
  tools: "nft",
  heavy: false,
  prepare: async (node) => ({ round: async () => [node.call({ type: "bridge" }, "VERSION")] }),
};

/** ADD and DEL of one plugin for one container. */
function addAndDel(node: BenchNode, config: PluginConfig, container: Container, ifName: string): Course {
  return {
    round: async () => {
      const add = node.call(config, "ADD", container, ifName);
      return [add, node.call({ ...config, prevResult: JSON.parse(add.stdout) }, "DEL", container, ifName)];
    },
  };
}

const loopbackCase: Case = {
  title: "loopback",
  rows: [
    { title: "ADD", budget: { wall: 0.3, cpu: 0.3 } },
    { title: "DEL", budget: { wall: 0.3, cpu: 0.3 } },
  ],
  plugins: ["loopback"],
  tools: "nft",
  heavy: false,
  prepare: async (node) => addAndDel(node, { type: "loopback" }, node.container("measured"), "lo"),
};

function growing(first: string, title: string, isFirst: boolean): Budget {
  return isFirst ? { wall: 0.3, cpu: 0.3 } : { flat: { row: `${first}: ${title}`, times: 1.2 } };
}

const FEWEST = 10;

function reservationCase(count: number): Case {
  const titleOf = (number: number): string => `host-local, ${number.toLocaleString("en")} reservations`;
  return {
    title: titleOf(count),
    rows: ["ADD", "DEL"].map((title) => ({ title, budget: growing(titleOf(FEWEST), title, count === FEWEST) })),
    plugins: ["host-local"],
    tools: "nft",
    heavy: count > 1000,
    prepare: async (node) => prepareReservations(node, count),
  };
}

/** Files as both suites know them: the address is the name, container and interface are the content. */
function prepareReservations(node: BenchNode, count: number): Course {
  const dataDir = `${node.stateDirectory}/reservations`;
  mkdirSync(`${dataDir}/benchnet`, { recursive: true });
  for (let number = 2; number < count + 2; number++) {
    const address = `10.89.${number >> 8}.${number & 0xff}`;
    writeFileSync(`${dataDir}/benchnet/${address}`, `container-${number}\r\neth0`);
  }
  const config = { type: "host-local", ipam: { type: "host-local", dataDir, ranges: [[{ subnet: "10.89.0.0/16" }]] } };
  return addAndDel(node, config, node.container("measured"), "eth0");
}

function mappingCase(count: number): Case {
  const titleOf = (number: number): string => `portmap, ${number.toLocaleString("en")} mappings`;
  return {
    title: titleOf(count),
    rows: [
      { title: "ADD", budget: growing(titleOf(0), "ADD", count === 0) },
      { title: "DEL", budget: count === 0 ? { wall: 0.4 } : {} },
      { title: "new connection", budget: count === 0 ? {} : growing(titleOf(0), "new connection", false) },
    ],
    plugins: ["portmap", "bridge", "host-local"],
    tools: "nft",
    heavy: count > 0,
    prepare: async (node) => prepareMappings(node, count),
  };
}

const MAPPINGS_PER_CONTAINER = 1000;

async function prepareMappings(node: BenchNode, count: number): Promise<Course> {
  for (let first = 0; first < count; first += MAPPINGS_PER_CONTAINER) {
    const container = node.container("mapped");
    node.call(
      portmapFor(`10.88.200.${first / MAPPINGS_PER_CONTAINER + 1}`, container, 20_000 + first, MAPPINGS_PER_CONTAINER),
      "ADD",
      container,
    );
  }
  const connections = await mappedConnections(node, portmapFor);
  const container = node.container("measured");
  const calls = addAndDel(node, portmapFor("10.88.201.1", container, 9000, 1), container, "eth0");
  return { round: async () => [...(await calls.round()), await connections()] };
}

/** portmap behind a plugin that gave the container `address`. */
function portmapFor(address: string, container: Container, firstHostPort: number, count: number): PluginConfig {
  const portMappings = Array.from({ length: count }, (_, i) => ({
    hostPort: firstHostPort + i,
    containerPort: 80,
    protocol: "tcp",
  }));
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "eth0", sandbox: container.netns }],
    ips: [{ address: `${address}/16`, interface: 0 }],
  };
  return { type: "portmap", backend: "nftables", runtimeConfig: { portMappings }, prevResult };
}

export const singleCases: readonly Case[] = [
  versionCase,
  loopbackCase,
  ...[FEWEST, 1000, 60_000].map(reservationCase),
  ...[0, 10_000].map(mappingCase),
];
