/**
 * Drives pkg/netlink, pkg/netns and pkg/sysctl in the namespace it is started in, with a second one at its argument, for
 * netlink.test.ts. One line for each claim: `ok` or `not ok`. It compiles natively too, so that both engines are put to
 * the same test.
 */
import { existsSync } from "node:fs";
import { createBridge } from "../../pkg/netlink/create-link.ts";
import { NetworkStack } from "../../pkg/netlink/stack.ts";
import { NetworkNamespace } from "../../pkg/netns/network-namespace.ts";
import { ensureSysctl, readSysctl, writeSysctl, writeSysctls } from "../../pkg/sysctl/sysctl.ts";
import { claim, errnoOf, textOf } from "./claims.ts";
import { addresses, neighbours, routes, rules } from "./netlink-addresses.ts";
import { bridges, interruption, kinds, links, many, vlans, waits } from "./netlink-links.ts";

function namespaces(path: string): void {
  const other = NetworkNamespace.open(path);
  const own = NetworkNamespace.current();
  claim("namespaces differ", !own.equals(other) && own.identity() !== other.identity());
  claim("a namespace equals itself by another path", own.equals(NetworkNamespace.open("/proc/self/ns/net")));
  claim(
    "inside a namespace it is the current one",
    other.enter(() => NetworkNamespace.current().equals(other)),
  );
  claim("an action's error passes", errnoOf(() => other.enter(() => NetworkNamespace.open("/nowhere"))) === "missing");
  claim("after an error the process is home", NetworkNamespace.current().equals(own));
  claim("nothing at a path is told", errnoOf(() => NetworkNamespace.open("/nowhere/ns")) === "missing");
  const notOne = "not-a-network-namespace";
  claim("a file is no namespace", errnoOf(() => NetworkNamespace.open("/etc/passwd")) === notOne);
  claim("a directory is no namespace", errnoOf(() => NetworkNamespace.open("/etc")) === notOne);
  claim("a file of /proc is no namespace", errnoOf(() => NetworkNamespace.open("/proc/self/status")) === notOne);
  claim("another kind of namespace is none", errnoOf(() => NetworkNamespace.open("/proc/self/ns/mnt")) === notOne);
  claim("find() tells absence as a value", NetworkNamespace.find("/nowhere") === undefined);
  own.close();
  own.close();
  other.close();
}

function sysctls(sandbox: NetworkStack): void {
  const { namespace } = sandbox;
  const key = "net/ipv4/ip_forward";
  writeSysctl(undefined, key, "0");
  claim("a parameter belongs to its namespace", writeSysctl(namespace, key, "1") && readSysctl(undefined, key) === "0");
  claim(
    "the value before is told",
    ensureSysctl(namespace, key, "0") === "1" && ensureSysctl(namespace, key, "0") === "0",
  );
  claim("what the kernel lacks is undefined", readSysctl(namespace, "net/ipv9/nonesuch") === undefined);
  claim("what the kernel lacks is not written", !writeSysctl(namespace, "net/ipv4/nonesuch", "1"));
  createBridge(sandbox, { name: "br.5" });
  const dotted = "net/ipv4/conf/br.5/arp_notify";
  writeSysctls(namespace, [
    ["net/ipv4/nonesuch", "1"],
    [dotted, "1"],
  ]);
  claim("a name may have dots", readSysctl(namespace, dotted) === "1");
  claim("a key stays below its root", textOf(() => readSysctl(undefined, "net/../../version")).includes("malformed"));
}

function main(path: string): void {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  namespaces(path);
  const host = NetworkStack.host();
  const namespace = NetworkNamespace.open(path);
  const sandbox = NetworkStack.of(namespace);
  bridges(host, sandbox);
  links(host, sandbox);
  addresses(host);
  routes(host);
  rules(host);
  neighbours(host);
  sysctls(sandbox);
  waits(host, sandbox);
  vlans(host);
  kinds(host, sandbox);
  many(host);
  interruption(host);
  sandbox.close();
  host.close();
  namespace.close();
  console.log("done");
}

main("/run/netns/other");
