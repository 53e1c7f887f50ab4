/** Networks with tuning behind bridge, for its tests. */
import type { Suite } from "../helpers/engines.ts";
import { four } from "../helpers/interface-network.ts";
import { type NetworkPlugin, type TestAttachment, TestNetwork } from "../helpers/network.ts";
import type { TestNode } from "../helpers/node.ts";
import type { Json, PluginCall } from "../helpers/plugin.ts";

/** tuning's place in the list. */
export const TUNING = 1;

export const allowList = "/etc/cni/tuning/allowlist.conf";

export interface TunedOptions {
  readonly version?: string;
  readonly name?: string;
  /** CNI_ARGS. */
  readonly args?: string;
  readonly runtimeConfig?: object;
  /** Who has bridge; the suite itself when left out. */
  readonly bridge?: Suite;
}

export function tunedNetwork(node: TestNode, suite: Suite, config: object, options: TunedOptions = {}): TestNetwork {
  const { version = "1.1.0", name = "testnet", args, runtimeConfig, bridge = suite } = options;
  const tuning: NetworkPlugin = {
    suite,
    config: { type: "tuning", ...config },
    args,
    runtimeConfig: runtimeConfig === undefined ? undefined : () => runtimeConfig,
  };
  return new TestNetwork(
    node,
    version,
    [{ suite: bridge, config: { type: "bridge", bridge: "cni0", ipam: four } }, tuning],
    name,
  );
}

/** ADD of all before tuning, then tuning's. */
export async function addTuning(network: TestNetwork, container: TestAttachment): Promise<PluginCall> {
  await network.add(container, TUNING);
  return network.addOne(TUNING, container);
}

/** A sysctl of a container, by its path below /proc/sys; blanks between its words. */
export async function sysctl(container: TestAttachment, path: string): Promise<string> {
  return (await container.sandbox.exec(["cat", `/proc/sys/${path}`])).trim().split(/\s+/).join(" ");
}

/** What tuning changes of a link. */
export interface Attributes {
  readonly mac: string;
  readonly mtu: number;
  readonly promisc: boolean;
  readonly allmulti: boolean;
  readonly txQLen: number;
}

export async function attributesOf(container: TestAttachment): Promise<Attributes> {
  const [link] = await container.sandbox.ip("-d", "link", "show", "dev", container.ifName);
  return {
    mac: link?.["address"],
    mtu: link?.["mtu"],
    promisc: link?.["flags"].includes("PROMISC"),
    allmulti: link?.["flags"].includes("ALLMULTI"),
    txQLen: link?.["txqlen"] ?? 0,
  };
}

/** The files in a directory of the node. */
export async function filesIn(node: TestNode, directory: string): Promise<string[]> {
  const { stdout } = await node.run(["ls", "-A", directory]);
  return stdout.split("\n").filter((name) => name !== "");
}

export async function recordOf(
  node: TestNode,
  container: TestAttachment,
  directory = "/run/cni/tuning",
): Promise<Json> {
  return JSON.parse(await node.exec(["cat", `${directory}/${container.containerId}_${container.ifName}.json`]));
}

export async function writeFile(node: TestNode, path: string, text: string): Promise<void> {
  await node.exec(["sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path], { stdin: text });
}
