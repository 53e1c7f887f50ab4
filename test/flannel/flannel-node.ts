/** Networks with flannel, and what flanneld writes, for its tests. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Suite } from "../helpers/engines.ts";
import { TestNetwork } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import type { Json } from "../helpers/plugin.ts";

export const RECORDS = "/var/lib/cni/flannel";

export const IPV4 = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n";
export const IPV6 = "FLANNEL_IPV6_NETWORK=2001:db8:244::/48\nFLANNEL_IPV6_SUBNET=2001:db8:244:1::1/64\n";
const REST = "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

/** As flanneld does, to where flannel looks for it. */
export async function writeSubnet(
  node: TestNode,
  text: string = IPV4,
  path = "/run/flannel/subnet.env",
): Promise<void> {
  await node.exec(["tee", path], { stdin: `${text}${REST}` });
}

export interface FlannelOptions {
  readonly version?: string;
  readonly name?: string;
  readonly runtimeConfig?: object;
  /** More directories to find delegates in, or others. */
  readonly path?: string;
}

export function flannelNetwork(
  node: TestNode,
  suite: Suite,
  config: object = {},
  options: FlannelOptions = {},
): TestNetwork {
  const { version = "1.1.0", name = "cbr0", runtimeConfig, path } = options;
  return new TestNetwork(
    node,
    version,
    [
      {
        suite,
        config: { type: "flannel", ...config },
        path,
        runtimeConfig: runtimeConfig === undefined ? undefined : () => runtimeConfig,
      },
    ],
    name,
  );
}

/** The records, by name. */
export async function records(node: TestNode): Promise<string[]> {
  const { stdout } = await node.run(["ls", "-A", RECORDS]);
  return stdout.split("\n").filter((name) => name !== "");
}

export async function record(node: TestNode, name: string): Promise<Json> {
  return JSON.parse(await node.exec(["cat", `${RECORDS}/${name}`]));
}

/** Addresses that host-local holds on a network. */
export async function reserved(node: TestNode, network = "cbr0"): Promise<string[]> {
  const { stdout } = await node.run(["ls", `/var/lib/cni/networks/${network}`]);
  return stdout.split("\n").filter((name) => /^[0-9a-f]+[.:]/.test(name));
}

/** A delegate that keeps what it is called with, one line a call, and answers with an address; its directory. */
export async function witness(node: TestNode): Promise<Witness> {
  const directory = join(node.directory, "witness");
  const log = join(directory, "log");
  await mkdir(directory);
  const script = `#!/bin/sh
{ printf '%s %s %s %s ' "$CNI_COMMAND" "$CNI_CONTAINERID" "$CNI_IFNAME" "$CNI_NETNS"; cat; echo; } >> ${log}
[ ! -e ${directory}/fails ] || { echo '{"cniVersion":"1.1.0","code":117,"msg":"not today","details":"ask tomorrow"}'; exit 1; }
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.244.1.9/24"}]}'
`;
  await writeFile(join(directory, "witness"), script);
  await chmod(join(directory, "witness"), 0o755);
  return new Witness(node, directory);
}

export interface WitnessedCall {
  readonly verb: string;
  readonly containerId: string;
  readonly ifName: string;
  readonly netns: string;
  readonly config: Json;
}

export class Witness {
  readonly directory: string;
  private readonly node: TestNode;

  constructor(node: TestNode, directory: string) {
    this.node = node;
    this.directory = directory;
  }

  /** From now on, or no longer. */
  async fails(flag: boolean): Promise<void> {
    await this.node.exec(flag ? ["touch", `${this.directory}/fails`] : ["rm", `${this.directory}/fails`]);
  }

  /** The calls since the last time. */
  async calls(): Promise<WitnessedCall[]> {
    const { stdout } = await this.node.run(["cat", `${this.directory}/log`]);
    await this.node.exec(["rm", "-f", `${this.directory}/log`]);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [verb = "", containerId = "", ifName = "", netns = ""] = line.split(" ");
        return { verb, containerId, ifName, netns, config: JSON.parse(line.slice(line.indexOf("{"))) };
      });
  }
}
