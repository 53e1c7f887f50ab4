/** An IPAM plugin that is executed: each verb reaches it with all that the runtime said, and its failure stops nothing else. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engines } from "../helpers/engines.ts";
import { type PluginConfig, TestNetwork } from "../helpers/network.ts";
import { TestNode } from "../helpers/node.ts";
import type { CallVariables, Json, Verb } from "../helpers/plugin.ts";
import { fakeDelegate } from "./fake-delegate.ts";

const address = `{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.5/24","gateway":"10.1.0.1"}]}`;
const ipam = { type: "fake", anything: { of: ["its", "own"] } };
const args = "IgnoreUnknown=1;K8S_POD_NAME=pod";
const rows: readonly PluginConfig[] = [
  { type: "bridge", bridge: "cni0", ipam },
  { type: "ptp", ipam },
  { type: "macvlan", master: "uplink", ipam },
  { type: "host-device", device: "uplink", ipam },
  { type: "tap", ipam },
];

/** What the delegate was given, call by call. */
class Records {
  private readonly directory: string;

  constructor(node: TestNode) {
    this.directory = join(node.directory, "records");
  }

  /** The script of a delegate that keeps the variables and the stdin of each call, and gives an address. */
  async script(): Promise<string> {
    await mkdir(this.directory, { recursive: true });
    return `env | grep ^CNI_ | sort >${this.directory}/$CNI_COMMAND.env
cat >${this.directory}/$CNI_COMMAND.json
[ $CNI_COMMAND != ADD ] || echo '${address}'`;
  }

  async verbs(): Promise<string[]> {
    const files = await readdir(this.directory);
    return files.filter((name) => name.endsWith(".env")).map((name) => name.replace(/\.env$/, ""));
  }

  async variables(verb: Verb): Promise<string[]> {
    return (await readFile(join(this.directory, `${verb}.env`), "utf8")).trim().split("\n");
  }

  async stdin(verb: Verb): Promise<Json> {
    return JSON.parse(await readFile(join(this.directory, `${verb}.json`), "utf8"));
  }
}

describe.each(engines)("$name", (engine) => {
  test.each(rows)("$type: STATUS, ADD, CHECK, GC and DEL", async (config) => {
    await using node = await TestNode.create();
    await node.exec(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far"]);
    await node.exec(["ip", "link", "set", "uplink", "up"]);
    const records = new Records(node);
    const path = `${await fakeDelegate(node, await records.script())}:${engine.directory}`;
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config, path, args }]);
    const container = await network.container("container");
    const alive = [{ containerID: "container", ifname: "eth0" }];
    let prevResult: Json;
    for (const verb of ["STATUS", "ADD", "CHECK", "GC", "DEL"] as const) {
      const ofContainer = !["STATUS", "GC"].includes(verb);
      const more = verb === "GC" ? { "cni.dev/valid-attachments": alive } : ofContainer ? { prevResult } : {};
      const call = await network.call(0, verb, ofContainer ? container : undefined, more);
      prevResult = call.expectSuccess() ?? prevResult;
      expect(await records.stdin(verb), verb).toEqual(network.config(0, container, more));
      const own = ["CNI_CONTAINERID=container", "CNI_IFNAME=eth0", `CNI_NETNS=${container.sandbox.path}`];
      const expected = [`CNI_ARGS=${args}`, `CNI_COMMAND=${verb}`, `CNI_PATH=${path}`, ...(ofContainer ? own : [])];
      expect(await records.variables(verb), verb).toEqual(expected.toSorted());
    }
  });

  test("GC that does not say who is alive does not reach it", async () => {
    await using node = await TestNode.create();
    const records = new Records(node);
    const path = `${await fakeDelegate(node, await records.script())}:${engine.directory}`;
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config: { type: "ptp", ipam }, path }]);
    (await network.call(0, "GC")).expectSuccess();
    expect(await records.verbs()).toEqual([]);
    await network.gc([]);
    expect(await records.verbs()).toEqual(["GC"]);
  });

  test.each(["DEL", "GC"] as const)(
    "%s that fails there has taken the interface away, and goes through later",
    async (verb) => {
      await using node = await TestNode.create();
      const records = new Records(node);
      const good = await records.script();
      const failure = `echo '{"cniVersion":"1.1.0","code":142,"msg":"not today"}'; exit 1`;
      const path = `${await fakeDelegate(node, good)}:${engine.directory}`;
      const config = { type: "ptp", ipMasq: true, ipam };
      const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config, path }]);
      const container = await network.container("container");
      const result = await network.add(container);
      const call = (variables: CallVariables = {}): ReturnType<typeof network.call> =>
        verb === "DEL"
          ? network.delOne(0, container, variables)
          : network.call(0, verb, undefined, { "cni.dev/valid-attachments": [] }, variables);
      await fakeDelegate(node, `${good}\n[ $CNI_COMMAND != ${verb} ] || { ${failure}; }`);
      (await call()).expectError(142, /addresses: not today/);
      expect(await node.hasLink(result.interfaces[0].name)).toBe(false);
      expect(await node.exec(["nft", "list", "ruleset"])).not.toContain("10.1.0.5");
      await fakeDelegate(node, good);
      (await call()).expectSuccess();
    },
  );

  test.each([50, 51])("STATUS passes code %i on", async (code) => {
    await using node = await TestNode.create();
    const script = `cat >/dev/null; echo '{"cniVersion":"1.1.0","code":${code},"msg":"not today","details":"tomorrow"}'; exit 1`;
    const path = `${await fakeDelegate(node, script)}:${engine.directory}`;
    const network = new TestNetwork(node, "1.1.0", [{ suite: engine, config: { type: "ptp", ipam }, path }]);
    const error = (await network.call(0, "STATUS")).expectError(code, /not today/);
    expect(error).toEqual({ cniVersion: "1.1.0", code, msg: "not today", details: "tomorrow" });
  });
});
