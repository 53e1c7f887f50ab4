/** cnitool's arguments: a command, a network, a network namespace. Pure. */

export const commands = ["add", "check", "del", "gc", "status", "validate", "version"] as const;
export type CommandName = (typeof commands)[number];

/** What the user asks for. */
export interface CommandLine {
  readonly command: CommandName;
  readonly network: string;
  /** As it was written; empty where the command needs none. */
  readonly netns: string;
  /** From -i or --ifname; empty when not given. */
  readonly ifName: string;
}

/** The arguments are wrong. */
export class UsageError extends Error {
  constructor(reason: string) {
    super(`cnitool: ${reason}`);
    this.name = "UsageError";
  }
}

export const usage: string = `cnitool: attaches a network namespace to a network, as a container runtime does

Usage:
  cnitool add    NETWORK NETNS   attach, and print the result
  cnitool check  NETWORK NETNS   verify that it is as "add" left it
  cnitool del    NETWORK NETNS   detach
  cnitool gc     NETWORK         detach everything that is still attached, and remove what is left
  cnitool status NETWORK         tell whether "add" would work now
  cnitool validate NETWORK       read the configuration, and ask each plugin for its versions ("version" is the same)

  -i, --ifname NAME    the interface in the namespace (default eth0)
  -h, --help

Environment:
  NETCONFPATH   directory of the configurations (default /etc/cni/net.d)
  CNI_PATH      directories of the plugins, joined by ":" (default /opt/cni/bin)
  CAP_ARGS      capability data as a JSON object: {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
  CNI_ARGS      KEY=VALUE;KEY=VALUE
  CNI_IFNAME    the same as --ifname
`;

/** Reads the words after the program's name; `undefined` when they ask for help. @throws UsageError */
export function readCommandLine(words: readonly string[]): CommandLine | undefined {
  const positional: string[] = [];
  let ifName = "";
  let expectsIfName = false;
  for (const word of words) {
    if (expectsIfName) {
      ifName = word;
      expectsIfName = false;
    } else if (word === "-h" || word === "--help") return undefined;
    else if (word === "-i" || word === "--ifname") expectsIfName = true;
    else if (word.startsWith("--ifname=")) ifName = word.slice("--ifname=".length);
    else if (word.startsWith("-")) throw new UsageError(`unknown option ${word}`);
    else positional.push(word);
  }
  if (expectsIfName) throw new UsageError("--ifname needs the name of an interface");
  const name = positional[0] ?? "";
  if (name === "help") return undefined;
  const command = commandNamed(name);
  if (command === undefined) throw new UsageError(name === "" ? "no command given" : `unknown command "${name}"`);
  const network = positional[1] ?? "";
  const netns = positional[2] ?? "";
  if (network === "") throw new UsageError(`${command} needs the name of a network`);
  if (netns === "" && needsNamespace(command)) throw new UsageError(`${command} needs the path of a network namespace`);
  if (positional.length > 3) throw new UsageError(`one argument too many: ${positional[3] ?? ""}`);
  return { command, network, netns, ifName };
}

function commandNamed(name: string): CommandName | undefined {
  for (const command of commands) if (command === name) return command;
  return undefined;
}

/** The others take one too, for the reference's cnitool wants it everywhere. */
function needsNamespace(command: CommandName): boolean {
  return command === "add" || command === "check" || command === "del";
}
