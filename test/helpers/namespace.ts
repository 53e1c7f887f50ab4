/** One network namespace made for a test, and programs run inside it. */
import { Background } from "./background.ts";
import { type CommandOptions, type CommandResult, runCommand, runSuccessfully, stdoutOf } from "./command.ts";

/** By its path: what is run inside may be given a PATH that does not lead there. */
export const NSENTER = "/usr/bin/nsenter";

/** Where `ip netns` keeps namespaces. */
const NETNS_DIRECTORY = "/run/netns";

let made = 0;

/** A namespace reached by its name, as `ip netns` has it. */
export class Namespace {
  readonly name: string;
  /** What a runtime passes as CNI_NETNS. */
  readonly path: string;
  /** Put before every command. */
  protected readonly enter: readonly string[];

  protected constructor(name: string, enter?: readonly string[]) {
    this.name = name;
    this.path = `${NETNS_DIRECTORY}/${name}`;
    this.enter = enter ?? [NSENTER, `--net=${this.path}`];
  }

  /**
   * One with `lo` down, as runtimes make them; it has been up once, for then the kernel gives it addresses, a route and a qdisc
   * that it keeps, which nobody can take back.
   */
  static async create(label: string): Promise<Namespace> {
    const name = await Namespace.add(label);
    await runSuccessfully(["ip", "-n", name, "-batch", "-"], { stdin: "link set lo up\nlink set lo down\n" });
    return new Namespace(name);
  }

  /** Makes a namespace of a name not used before and tells the name. */
  protected static async add(label: string): Promise<string> {
    if (process.env["FERRULE_ISOLATED"] !== "1") {
      throw new Error(
        "this test makes network namespaces and must not do so on the machine itself: run it by `npm test -- FILE`",
      );
    }
    made += 1;
    const name = `${label}-${process.pid}-${made}`;
    await runSuccessfully(["ip", "netns", "add", name]);
    return name;
  }

  /** Runs a program inside; its stdout. @throws Error with its words when it fails */
  async exec(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return stdoutOf(await this.run(argv, options));
  }

  /** Runs a program inside to its end, however it ends. */
  async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([...this.enter, ...argv], options);
  }

  /** What `ip -j ARGUMENTS` prints, parsed. */
  async ip(...argv: string[]): Promise<JsonRow[]> {
    const text = await this.exec(["ip", "-j", ...argv]);
    return text.trim() === "" ? [] : JSON.parse(text);
  }

  /** Whether a link of that name exists. */
  async hasLink(name: string): Promise<boolean> {
    return (await this.run(["ip", "link", "show", "dev", name])).status === 0;
  }

  /** Starts a program that goes on; stopped by `stop`, or with the test run at the latest. */
  start(argv: readonly string[]): Background {
    return new Background([...this.enter, ...argv]);
  }

  /** Takes the name away; the kernel removes the namespace when nobody is inside any more. */
  async remove(): Promise<void> {
    await Namespace.removeAll([this]);
  }

  /** Takes the names away that are still there. */
  protected static async removeAll(namespaces: readonly Namespace[]): Promise<void> {
    const stdin = namespaces.map(({ name }) => `netns delete ${name}\n`).join("");
    await runCommand(["ip", "-force", "-batch", "-"], { stdin });
  }
}

/** One object of iproute2's JSON; its members are the tests' to know. */
// biome-ignore lint/suspicious/noExplicitAny: iproute2's output has no types
export type JsonRow = Record<string, any>;
