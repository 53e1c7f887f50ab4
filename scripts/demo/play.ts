/**
 * The demonstration's story: two containers on a node get a network, use it, lose it. Run by scripts/demo.ts in namespaces of its
 * own, whose network is the node's. Ends with 1 at the first thing that is not as it should be.
 *
 *   outside[eth0 192.0.2.2] ── [uplink 192.0.2.1] node [cni0 10.88.0.1] ── [eth0 10.88.0.2] web
 *                                                      │                └─ [eth0 10.88.0.3] client
 *                                                      └ [cni1 10.244.3.1] ── [eth0 10.244.3.2] pod
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describeNetwork, flannelNetwork, forWeb, network, subnetFile } from "./networks.ts";
import {
  type Addresses,
  attach,
  cnitool,
  collectGarbage,
  containerIdIn,
  describeResult,
  engine,
  expect,
  hostEndOf,
  messageIn,
  nothing,
  plugins,
  reservations,
  root,
} from "./runtime.ts";
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

const started = performance.now();
let acts = 0;

async function play(): Promise<void> {
  showTitle(
    `Ferrule: two containers, one network (${engine} engine)`,
    `In namespaces of its own; this machine's network is not touched. Plugins: ${relative(process.cwd(), plugins)}`,
  );
  const before = raiseNode();
  configureNetwork();
  const { web, client } = attachContainers();
  reachEachOther(web, client);
  const service = await publishPort();
  checkAttachment();
  collectCrashed(web);
  attachToFlannel();
  detach(service);
  compareNode(before);
}

/** The next act. */
function begin(text: string): void {
  acts += 1;
  showHeading(acts, text);
}

/** Returns all that is on the node before anything is attached. */
function raiseNode(): string[] {
  begin("A node with an uplink, and nothing else");
  raiseOutside();
  mkdirSync("/var/lib/cni", { recursive: true });
  const before = snapshot();
  expect(before.length > 0, `all its links, addresses, routes, rules and files are noted (${before.length} lines)`);
  return before;
}

function configureNetwork(): void {
  begin("A network: the configuration a cluster's administrator writes");
  mkdirSync("/etc/cni/net.d", { recursive: true });
  writeFileSync("/etc/cni/net.d/10-podnet.conflist", `${JSON.stringify(network, null, 2)}\n`);
  typed(["cat", "/etc/cni/net.d/10-podnet.conflist"], { show: () => describeNetwork() });
  cnitool(["status", "podnet"], undefined, nothing);
  showSuccess("the plugins say that they are ready");
}

function attachContainers(): { readonly web: Addresses; readonly client: Addresses } {
  begin("Two containers get their interfaces and addresses");
  makeSandbox("web");
  makeSandbox("client");
  const web = attach("web", forWeb);
  const client = attach("client");
  typed(["cat", "/proc/sys/net/core/somaxconn"], { in: "web" });
  typed(["tc", "qdisc", "show", "dev", hostEndOf("web")], { show: (output) => output.split("\n")[0] ?? "" });
  showSuccess("tuning and bandwidth have done their part");
  return { web, client };
}

function reachEachOther(web: Addresses, client: Addresses): void {
  begin("They reach each other, and the host outside");
  for (const address of web) ping("client", address, `web at ${address}`);
  for (const address of client) ping("web", address, `client at ${address}`);
  for (const address of ["192.0.2.2", "2001:db8::2"]) ping("web", address, `the outside at ${address}`);
  showNote("the outside has no route to the containers: what reached it was masqueraded");
}

/** Returns what serves the page. */
async function publishPort(): Promise<ChildProcess> {
  begin("A page in the container web, through port 8080 of the node");
  const service = await startService("web", [process.execPath, `${root}/scripts/demo/web-page.ts`]);
  fetchPage("outside", "http://192.0.2.1:8080/", "192.0.2.2");
  fetchPage("outside", "http://[2001:db8::1]:8080/", "2001:db8::2");
  showSuccess("the outside gets the page, over IPv4 and IPv6, and web sees the caller's own address");
  fetchPage(undefined, "http://192.0.2.1:8080/", "");
  fetchPage(undefined, "http://[2001:db8::1]:8080/", "");
  showSuccess("so does the node itself");
  fetchPage("client", "http://192.0.2.1:8080/", "");
  showSuccess("and so does the other container");
  return service;
}

function checkAttachment(): void {
  begin("CHECK: is everything as ADD left it?");
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
}

function collectCrashed(web: Addresses): void {
  begin("GC: client's runtime crashed, its namespace is gone, nobody called DEL");
  const idOfWeb = containerIdIn(reservations().find((line) => line.includes(`/${web[0]}:`)));
  typed(["ip", "netns", "delete", "client"]);
  expect(reservations().length === 4, "its addresses are still reserved (4 reservations)");
  collectGarbage([idOfWeb]);
  expect(reservations().length === 2, "its addresses are free again (2 reservations)");
  fetchPage("outside", "http://192.0.2.1:8080/", "192.0.2.2");
  showSuccess("and web, which is alive, is still served");
}

function attachToFlannel(): void {
  begin("A network of flannel's on the same node");
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
}

function detach(service: ChildProcess): void {
  begin("DEL");
  service.kill("SIGKILL");
  cnitool(["del", "podnet", "/run/netns/web"], undefined, nothing);
  cnitool(["del", "podnet", "/run/netns/web"], undefined, nothing);
  showSuccess("a second DEL is no error");
  cnitool(["gc", "podnet"], undefined, nothing);
  showSuccess("cnitool has forgotten client, too");
}

function compareNode(before: readonly string[]): void {
  begin("What is left");
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

try {
  await play();
  showEnd(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  showFailure(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
