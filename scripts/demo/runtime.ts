/** The demonstration's runtime: cnitool, and what it has no verb for. */
import { fileURLToPath } from "node:url";
import { network } from "./networks.ts";
import { CommandFailed, quietly, snapshot, typed } from "./stage.ts";
import { showNote, showSuccess } from "./terminal.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
export const engine = process.argv[2] ?? "native";
export const plugins = `${root}/dist/${engine}/bin`;

interface AddResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
}

/** An address that a container got, without its prefix's length: first the IPv4 one, then the IPv6 one. */
export type Addresses = readonly [four: string, six: string];

/** Claims something of the node. @throws CommandFailed when it is not so */
export function expect(holds: boolean, claim: string): void {
  if (!holds) throw new CommandFailed(`it is not so that ${claim}`);
  showSuccess(claim);
}

/** Types the command; `show` makes of its output what is shown. @throws CommandFailed */
export function cnitool(
  words: readonly string[],
  capabilities: object | undefined,
  show: (output: string) => string,
): string {
  const environment = {
    CNI_PATH: plugins,
    ...(capabilities === undefined ? {} : { CAP_ARGS: JSON.stringify(capabilities) }),
  };
  const prefix = capabilities === undefined ? "" : `CAP_ARGS='${JSON.stringify(capabilities)}' `;
  const shownAs = `${prefix}cnitool ${words.join(" ")}`;
  const start = performance.now();
  const output = typed([`${plugins}/cnitool`, ...words], { environment, show, shownAs });
  showNote(`took ${(performance.now() - start).toFixed(0)} ms`);
  return output;
}

/** For what prints nothing worth showing. */
export const nothing = (): string => "";

/** ADD. */
export function attach(name: string, capabilities?: object): Addresses {
  const path = `/run/netns/${name}`;
  const result = JSON.parse(cnitool(["add", "podnet", path], capabilities, describeResult)) as AddResult;
  const [four = "", six = ""] = result.ips.map((ip) => ip.address.split("/")[0] ?? "");
  expect(four !== "" && six !== "", `${name} has ${four} and ${six}`);
  return [four, six];
}

/** The result in one line each: the runtime gets all of it as JSON. */
export function describeResult(output: string): string {
  const { interfaces, ips } = JSON.parse(output) as AddResult;
  const links = interfaces.map((each) => (each.sandbox === undefined ? each.name : `[${each.sandbox}] ${each.name}`));
  return [
    `interfaces  ${links.join(", ")}`,
    ...ips.map((ip) => `address     ${ip.address}, gateway ${ip.gateway ?? "none"}`),
  ].join("\n");
}

/** GC as a runtime asks for it: each plugin of the list, told which attachments are alive. */
export function collectGarbage(aliveContainers: readonly string[]): void {
  const alive = aliveContainers.map((containerID) => ({ containerID, ifname: "eth0" }));
  for (const plugin of network.plugins) {
    const config = { ...plugin, cniVersion: "1.1.0", name: "podnet", "cni.dev/valid-attachments": alive };
    typed([`${plugins}/${plugin.type}`], {
      environment: { CNI_COMMAND: "GC", CNI_PATH: plugins },
      stdin: JSON.stringify(config),
      shownAs: `CNI_COMMAND=GC ${plugin.type} <<< '{…, "cni.dev/valid-attachments": ${JSON.stringify(alive)}}'`,
    });
  }
}

/** The containers whose addresses are reserved, by host-local's files. */
export function reservations(): string[] {
  return snapshot().filter((line) => /^file: \/var\/lib\/cni\/networks\/podnet\/(10\.|fd00)/.test(line));
}

/** The host's end of a sandbox's pair. */
export function hostEndOf(name: string): string {
  const result = quietly(["ip", "-j", "link", "show", "dev", "eth0"], { in: name });
  const [{ link_index: index }] = JSON.parse(result) as [{ readonly link_index: number }];
  const links = JSON.parse(quietly(["ip", "-j", "link", "show"])) as {
    readonly ifindex: number;
    readonly ifname: string;
  }[];
  return links.find((link) => link.ifindex === index)?.ifname ?? "";
}

/** The container that has a reservation. */
export function containerIdIn(line: string | undefined): string {
  const content = /: ("(?:[^"\\]|\\.)*")$/.exec(line ?? "")?.[1] ?? '""';
  return String(JSON.parse(content)).split(/\r?\n/)[0] ?? "";
}

/** What an error document says. */
export function messageIn(output: string): string {
  try {
    const { msg, details } = JSON.parse(output) as { readonly msg?: string; readonly details?: string };
    return [msg, details].filter((each) => each !== undefined && each !== "").join("; ");
  } catch (_) {
    return output.trim();
  }
}
