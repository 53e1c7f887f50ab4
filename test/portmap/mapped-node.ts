/** A node with a bridge network whose containers have mapped ports, and clients everywhere. Used by the tests of portmap. */
import type { Suite } from "../helpers/engines.ts";
import type { Namespace } from "../helpers/namespace.ts";
import { type TestAttachment, TestNetwork } from "../helpers/network.ts";
import { type Outside, TestNode } from "../helpers/node.ts";

/** How often a server that has just been started is tried, each time a tenth of a second later. */
const PATIENCE = 30;

export type Transport = "TCP" | "UDP" | "SCTP";

const datagramServer = `
const [word, port] = process.argv.slice(1);
const server = require("node:dgram").createSocket("udp6");
server.on("message", (_, from) => server.send(word + " " + from.address + "\\n", from.port, from.address));
server.bind(Number(port), () => console.log("listening"));`;

/** Node, bridge with both families and hairpin, and portmap behind it. */
/** From where to whom; `options` are socat's, such as `,bind=`. */
type Question = [from: Namespace, address: string, port: number, transport?: Transport, options?: string];

export class MappedNode {
  readonly node: TestNode;
  readonly outside: Outside;
  readonly suite: Suite;

  private constructor(node: TestNode, outside: Outside, suite: Suite) {
    this.node = node;
    this.outside = outside;
    this.suite = suite;
  }

  static async create(suite: Suite): Promise<MappedNode> {
    const node = await TestNode.create();
    return new MappedNode(node, await node.outside(), suite);
  }

  /** A network whose portmap has these mappings (one list for each container, in order) and options. */
  network(
    mappings: readonly (readonly object[])[],
    options: object = {},
    portmapSuite: Suite = this.suite,
    name = "testnet",
  ): TestNetwork {
    const subnet = name === "testnet" ? 22 : 23;
    const ipam = {
      type: "host-local",
      ranges: [[{ subnet: `10.${subnet}.0.0/24` }], [{ subnet: `2001:db8:${subnet}::/64` }]],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
    };
    const bridge = { type: "bridge", bridge: `cni${subnet}`, isGateway: true, hairpinMode: true, ipam };
    return new TestNetwork(
      this.node,
      "1.1.0",
      [
        { suite: this.suite, config: bridge },
        {
          suite: portmapSuite,
          config: { type: "portmap", capabilities: { portMappings: true }, ...options },
          runtimeConfig: (index) => ({ portMappings: mappings[index] ?? [] }),
        },
      ],
      name,
    );
  }

  /** Answers every connection or datagram with the given word and the client's address. */
  async serve(where: Namespace, word: string, port: number, transport: Transport = "TCP"): Promise<void> {
    if (transport === "UDP") {
      // socat leaves a process behind for each client, which would take the client's next datagrams.
      const server = this.node.background([process.execPath, "-e", datagramServer, word, port.toString()], where);
      await server.waitFor(/listening/);
      return;
    }
    const listen = `${transport}6-LISTEN:${port},fork,reuseaddr`;
    const server = this.node.background(["socat", "-dd", listen, `SYSTEM:echo ${word} \\$SOCAT_PEERADDR`], where);
    await server.waitFor(/listening/);
  }

  /** What a client reads there; empty when nothing answers, also after a long time. */
  async ask(...question: Question): Promise<string> {
    return this.read(question[3] === "UDP" ? 1 : 10, ...question);
  }

  /** The same where nothing is expected to answer, or not yet: waits a second. */
  async tryToAsk(...question: Question): Promise<string> {
    return this.read(1, ...question);
  }

  /** A datagram's reader cannot tell that no more will come: it always waits for so long. */
  private async read(
    seconds: number,
    ...[from, address, port, transport = "TCP", options = ""]: Question
  ): Promise<string> {
    const host = address.includes(":") ? `[${address}]` : address;
    const family = address.includes(":") ? 6 : 4;
    const end = `${transport}${family}:${host}:${port}${options}`;
    const ends = transport === "UDP" ? ["-", end] : ["-u", end, "-"];
    const argv = ["timeout", `${2 * seconds}`, "socat", `-T${seconds}`, `-t${seconds}`, ...ends];
    const { stdout } = await from.run(argv, { stdin: transport === "UDP" ? "ping\n" : "" });
    return stdout.trim();
  }

  /** Waits until addresses and neighbours are settled: a server answers on the container's own address, so that later silence means something. */
  async ready(container: TestAttachment, port: number, transport: Transport = "TCP"): Promise<void> {
    for (const { address } of container.result.ips) {
      for (let tries = 0; ; tries++) {
        if ((await this.tryToAsk(this.node, address.split("/")[0], port, transport)) !== "") break;
        if (tries === PATIENCE) throw new Error(`no answer from ${address}, port ${port}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.dispose();
  }
}
