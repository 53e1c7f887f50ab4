/**
 * The demonstration's story: two containers on a node get a network, use it, lose it. Run by scripts/demo.ts in namespaces of its
 * own, whose network is the node's. Ends with 1 at the first thing that is not as it should be.
 *
 *   outside[eth0 192.0.2.2] ── [uplink 192.0.2.1] node [cni0 10.88.0.1] ── [eth0 10.88.0.2] web
 *                                                      │                └─ [eth0 10.88.0.3] client
 *                                                      └ [cni1 10.244.3.1] ── [eth0 10.244.3.2] pod
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CommandFailed,
  difference,
  makeSandbox,
  quietly,
  raiseOutside,
  snapshot,
  startService,
  typed,
} from "./stage.ts";
import { showEnd, showFailure, showHeading, showNote, showOutput, showSuccess, showTitle } from "./terminal.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const engine = process.argv[2] ?? "native";
const plugins = `${root}/dist/${engine}/bin`;
const started = performance.now();

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
const network = { cniVersion: "1.1.0", name: "podnet", plugins: [bridge, ...chained] };
const forWeb = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  bandwidth: { ingressRate: 50_000_000, egressRate: 50_000_000 },
};

/** A second network, as kube-flannel writes it; what flanneld has for the node is in subnet.env. */
const flannelNetwork = {
  cniVersion: "1.0.0",
  name: "cbr0",
  plugins: [
    { type: "flannel", delegate: { bridge: "cni1", hairpinMode: true, isDefaultGateway: true } },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};
const subnetFile = [
  "FLANNEL_NETWORK=10.244.0.0/16",
  "FLANNEL_SUBNET=10.244.3.1/24",
  "FLANNEL_MTU=1450",
  "FLANNEL_IPMASQ=true",
  "",
].join("\n");

interface AddResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
}

/** An address that a container got, without its prefix's length: first the IPv4 one, then the IPv6 one. */
type Addresses = readonly [four: string, six: string];

function expect(holds: boolean, claim: string): void {
  if (!holds) throw new CommandFailed(`it is not so that ${claim}`);
  showSuccess(claim);
}

function cnitool(words: readonly string[], capabilities: object | undefined, show: (output: string) => string): string {
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

const nothing = (): string => "";

function attach(name: string, capabilities?: object): Addresses {
  const path = `/run/netns/${name}`;
  const result = JSON.parse(cnitool(["add", "podnet", path], capabilities, describeResult)) as AddResult;
  const [four = "", six = ""] = result.ips.map((ip) => ip.address.split("/")[0] ?? "");
  expect(four !== "" && six !== "", `${name} has ${four} and ${six}`);
  return [four, six];
}

/** The result in one line each: the runtime gets all of it as JSON. */
function describeResult(output: string): string {
  const { interfaces, ips } = JSON.parse(output) as AddResult;
  const links = interfaces.map((each) => (each.sandbox === undefined ? each.name : `[${each.sandbox}] ${each.name}`));
  return [
    `interfaces  ${links.join(", ")}`,
    ...ips.map((ip) => `address     ${ip.address}, gateway ${ip.gateway ?? "none"}`),
  ].join("\n");
}

function ping(from: string, to: string, label: string): void {
  typed(["ping", "-c", "1", "-W", "2", to], { in: from, show: (output) => output.split("\n")[1] ?? "" });
  showSuccess(`${from} reaches ${label}`);
}

function fetchPage(from: string | undefined, url: string, greeted: string): void {
  const words = ["curl", "--silent", "--show-error", "--max-time", "5", "--globoff", url];
  const where = from === undefined ? {} : { in: from };
  const page = typed(words, { ...where, shownAs: `curl --silent ${url}` });
  if (!page.includes(`Hello ${greeted}`)) throw new CommandFailed(`${url} greeted another than ${greeted}: ${page}`);
}

/** GC as a runtime asks for it: each plugin of the list, told which attachments are alive. */
function collectGarbage(aliveContainers: readonly string[]): void {
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
function reservations(): string[] {
  return snapshot().filter((line) => /^file: \/var\/lib\/cni\/networks\/podnet\/(10\.|fd00)/.test(line));
}

/** The host's end of a sandbox's pair. */
function hostEndOf(name: string): string {
  const result = quietly(["ip", "-j", "link", "show", "dev", "eth0"], { in: name });
  const [{ link_index: index }] = JSON.parse(result) as [{ readonly link_index: number }];
  const links = JSON.parse(quietly(["ip", "-j", "link", "show"])) as {
    readonly ifindex: number;
    readonly ifname: string;
  }[];
  return links.find((link) => link.ifindex === index)?.ifname ?? "";
}

function containerIdIn(line: string | undefined): string {
  const content = /: ("(?:[^"\\]|\\.)*")$/.exec(line ?? "")?.[1] ?? '""';
  return String(JSON.parse(content)).split(/\r?\n/)[0] ?? "";
}

async function play(): Promise<void> {
  let heading = 0;
  const next = (text: string): void => showHeading(++heading, text);

  showTitle(
    `Ferrule: two containers, one network (${engine} engine)`,
    `In namespaces of its own; this machine's network is not touched. Plugins: ${relative(process.cwd(), plugins)}`,
  );

  next("A node with an uplink, and nothing else");
  raiseOutside();
  mkdirSync("/var/lib/cni", { recursive: true });
  const before = snapshot();
  expect(before.length > 0, `all its links, addresses, routes, rules and files are noted (${before.length} lines)`);

  next("A network: the configuration a cluster's administrator writes");
  mkdirSync("/etc/cni/net.d", { recursive: true });
  writeFileSync("/etc/cni/net.d/10-podnet.conflist", `${JSON.stringify(network, null, 2)}\n`);
  typed(["cat", "/etc/cni/net.d/10-podnet.conflist"], { show: () => describeNetwork() });
  cnitool(["status", "podnet"], undefined, nothing);
  showSuccess("the plugins say that they are ready");

  next("Two containers get their interfaces and addresses");
  makeSandbox("web");
  makeSandbox("client");
  const web = attach("web", forWeb);
  const client = attach("client");
  typed(["cat", "/proc/sys/net/core/somaxconn"], { in: "web" });
  typed(["tc", "qdisc", "show", "dev", hostEndOf("web")], { show: (output) => output.split("\n")[0] ?? "" });
  showSuccess("tuning and bandwidth have done their part");

  next("They reach each other, and the host outside");
  for (const address of web) ping("client", address, `web at ${address}`);
  for (const address of client) ping("web", address, `client at ${address}`);
  for (const address of ["192.0.2.2", "2001:db8::2"]) ping("web", address, `the outside at ${address}`);
  showNote("the outside has no route to the containers: what reached it was masqueraded");

  next("A page in the container web, through port 8080 of the node");
  const service = await startService("web", [process.execPath, `${root}/scripts/demo/web-page.ts`]);
  fetchPage("outside", "http://192.0.2.1:8080/", "192.0.2.2");
  fetchPage("outside", "http://[2001:db8::1]:8080/", "2001:db8::2");
  showSuccess("the outside gets the page, over IPv4 and IPv6, and web sees the caller's own address");
  fetchPage(undefined, "http://192.0.2.1:8080/", "");
  fetchPage(undefined, "http://[2001:db8::1]:8080/", "");
  showSuccess("so does the node itself");
  fetchPage("client", "http://192.0.2.1:8080/", "");
  showSuccess("and so does the other container");

  next("CHECK: is everything as ADD left it?");
  cnitool(["check", "podnet", "/run/netns/web"], undefined, nothing);
  showSuccess("it is");
  typed(["ip", "route", "del", "default"], { in: "web" });
  const report = quietly([`${plugins}/cnitool`, "check", "podnet", "/run/netns/web"], {
    environment: { CNI_PATH: plugins },
    fails: true,
  });
  showOutput(`cnitool check podnet /run/netns/web → ${messageIn(report)}`);
  showSuccess("a route that somebody removed is noticed");
  typed(["ip", "route", "add", "default", "via", "10.88.0.1"], { in: "web" });
  cnitool(["check", "podnet", "/run/netns/web"], undefined, nothing);

  next("GC: client's runtime crashed, its namespace is gone, nobody called DEL");
  const idOfWeb = containerIdIn(reservations().find((line) => line.includes(`/${web[0]}:`)));
  typed(["ip", "netns", "delete", "client"]);
  expect(reservations().length === 4, "its addresses are still reserved (4 reservations)");
  collectGarbage([idOfWeb]);
  expect(reservations().length === 2, "its addresses are free again (2 reservations)");
  fetchPage("outside", "http://192.0.2.1:8080/", "192.0.2.2");
  showSuccess("and web, which is alive, is still served");

  next("A network of flannel's on the same node");
  mkdirSync("/run/flannel", { recursive: true });
  writeFileSync("/run/flannel/subnet.env", subnetFile);
  writeFileSync("/etc/cni/net.d/20-flannel.conflist", `${JSON.stringify(flannelNetwork, null, 2)}\n`);
  typed(["cat", "/run/flannel/subnet.env"]);
  makeSandbox("pod");
  cnitool(["add", "cbr0", "/run/netns/pod"], undefined, describeResult);
  ping("pod", "10.244.3.1", "its gateway on the bridge that flannel's delegate made");
  cnitool(["check", "cbr0", "/run/netns/pod"], undefined, nothing);
  cnitool(["del", "cbr0", "/run/netns/pod"], undefined, nothing);
  quietly(["ip", "netns", "delete", "pod"]);

  next("DEL");
  service.kill("SIGKILL");
  cnitool(["del", "podnet", "/run/netns/web"], undefined, nothing);
  cnitool(["del", "podnet", "/run/netns/web"], undefined, nothing);
  showSuccess("a second DEL is no error");
  cnitool(["gc", "podnet"], undefined, nothing);
  showSuccess("cnitool has forgotten client, too");

  next("What is left");
  quietly(["ip", "netns", "delete", "web"]);
  const left = difference(before, snapshot());
  const unexpected = left.filter((line) => !isKeptByDesign(line));
  showOutput(unexpected.join("\n"));
  expect(unexpected.length === 0, "nothing of either container: no link, route, rule, reservation or file");
  showNote(
    "the bridge, forwarding and host-local's memory of the last address are the network's, and outlive its containers;",
  );
  showNote("an administrator who gives up the network removes them:");
  typed(["ip", "link", "delete", "cni0"]);
  typed(["ip", "link", "delete", "cni1"]);
  typed(["sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"]);
  typed(["rm", "-r", "/etc/cni/net.d", "/run/flannel/subnet.env", ...stateLeft()]);
  const remaining = difference(before, snapshot());
  showOutput(remaining.join("\n"));
  expect(remaining.length === 0, `the node is as it was: all ${before.length} noted lines, byte for byte`);
}

/** What belongs to the network, not to a container: DEL leaves it, as the reference suite does. */
function isKeptByDesign(line: string): boolean {
  const ofBridge = /^[+] (link|address|qdisc|route6?): .*\bcni[01]\b/.test(line);
  // A forwarding host answers to its subnets' anycast addresses.
  const ofForwarding = /^[+-] sysctl: |^[+] route6?: anycast \S+ dev uplink /.test(line);
  const ofNetwork = /^[+] (directory|file): \/(etc\/cni\/net\.d|run\/flannel|run\/cni|var\/lib\/cni)/.test(line);
  const ofContainer = /veth|10\.88\.0\.[23](?![\d"])|fd00:88::[23](?![\da-f"])|10\.244\.3\.2(?![\d"])|cnitool-/.test(
    line,
  );
  return (ofBridge || ofForwarding || ofNetwork) && !ofContainer;
}

/** The directories that plugins and cnitool made. */
function stateLeft(): string[] {
  return ["/var/lib/cni", "/run/cni"].flatMap((path) => readdirSync(path).map((name) => join(path, name)));
}

function describeNetwork(): string {
  return [
    `{ "cniVersion": "1.1.0", "name": "podnet", "plugins": [`,
    `  ${JSON.stringify(bridge).replace('"ipam"', '\n    "ipam"')},`,
    chained.map((plugin) => `  ${JSON.stringify(plugin)}`).join(",\n"),
    "] }",
  ].join("\n");
}

function messageIn(output: string): string {
  try {
    const { msg, details } = JSON.parse(output) as { readonly msg?: string; readonly details?: string };
    return [msg, details].filter((each) => each !== undefined && each !== "").join("; ");
  } catch (_) {
    return output.trim();
  }
}

try {
  await play();
  showEnd(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  showFailure(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
