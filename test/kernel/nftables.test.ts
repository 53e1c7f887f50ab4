/**
 * pkg/nftables and conntrack against this machine's kernel, in namespaces of their own, with nft and conntrack as
 * witnesses. Needs root, nft, ip and conntrack.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const bun = fileURLToPath(new URL("../../node_modules/.bin/bun", import.meta.url));
const program = fileURLToPath(new URL("nftables.program.ts", import.meta.url));
/** NFTABLES_PROGRAM names a native build of the program, to put that to the same test. */
const command = process.env["NFTABLES_PROGRAM"] ?? `${bun} ${program}`;

const kernelTest = test.runIf(process.getuid?.() === 0);

/** Runs a shell script in a fresh network and mount namespace; `run` is the program under test. */
function inNamespace(script: string): string[] {
  const result = spawnSync("unshare", ["-n", "-m", "bash", "-ec", `run() { ${command} "$@"; }\n${script}`], {
    encoding: "utf8",
  });
  expect(result.stderr).toBe("");
  return result.stdout.trim().split("\n");
}

kernelTest("nft lists every rule and element with the text its builder gave it", () => {
  const lines = inNamespace("run build; echo ---; nft list ruleset");
  const split = lines.indexOf("---");
  const texts = lines.slice(0, split);
  const listing = lines.slice(split + 1).map((line) => line.trim());
  expect(texts.length).toBeGreaterThan(40);
  for (const text of texts) {
    const found = listing.some((line) => line === text || (line.includes("elements = {") && line.includes(text)));
    const continued = listing.some((line) => line === `${text},` || line === `${text} }`);
    expect(found || continued, `${text}\n\nis not in\n\n${listing.join("\n")}`).toBe(true);
  }
});

kernelTest("nft lists chains, sets and tables as they were declared", () => {
  const listing = inNamespace("run build >/dev/null; nft list ruleset").map((line) => line.trim());
  for (const line of [
    "table inet probe {",
    "table bridge probe {",
    'comment "a table"',
    'comment "a set"',
    'comment "a chain"',
    'comment "base"',
    "type inet_proto . inet_service : ipv4_addr . inet_service",
    "type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service",
    "type ifname . ether_addr",
    "type ifname : verdict",
    "type nat hook prerouting priority dstnat + 5; policy accept;",
    "type filter hook forward priority filter; policy drop;",
  ]) {
    expect(listing).toContain(line);
  }
});

kernelTest("a ruleset that nft listed can be loaded by nft again", () => {
  expect(
    inNamespace("run build >/dev/null; nft list ruleset >/tmp/$$; nft flush ruleset; nft -f /tmp/$$; rm /tmp/$$"),
  ).toEqual([""]);
});

kernelTest("a failing transaction changes nothing and names the change that failed", () => {
  const lines = inNamespace("run errors");
  expect(lines).toEqual([
    "ENOENT: add chain ip absent c",
    "EEXIST: create element inet probe ports { tcp . 80 : 10.1.1.2 . 80 }",
    "free was added: false",
    "holder: holder",
    "no failure",
    "EEXIST: add element inet probe ports { tcp . 80 : 10.1.1.2 . 80 }",
    "ENOENT: delete element inet probe ports { tcp . 81 }",
    "EBUSY: delete chain inet probe used",
    "ENOENT: add rule inet probe user jump nowhere",
    "no failure",
    "ERESTART: begin a change of the ruleset",
    "no failure",
    "no failure",
  ]);
});

kernelTest("what was built is read back, and absence is a value", () => {
  const lines = inNamespace("run read");
  const after = lines.slice(lines.indexOf("---") + 1);
  expect(lines.slice(0, 4)).toEqual(["support: usable", "before: false false", "before: 0 0", "before: true"]);
  for (const line of [
    "there: true true",
    "chain inner - - - a chain",
    "chain in nat 0 -95 base",
    "chain through filter 2 0 -",
    "set hosts false 4 0 a set",
    "set ports true 8 8 -",
    "set ports6 true 24 20 -",
    "rules: 6, first comment any",
    "host 10.0.0.1 one 3",
    "host 10.0.0.2 - 1",
    "host 10.0.0.3 - -",
    "web: 8 bytes, web",
    "no such: true",
    "macs left: 0",
  ]) {
    expect(after).toContain(line);
  }
  expect(after.slice(-4)).toEqual(["after: 5 0", "after: 0", "after: false true", "after: false"]);
});

kernelTest("one element is found among ten thousand, and the first are read alone", () => {
  const lines = inNamespace("run many");
  expect(lines.slice(0, 3)).toEqual(["found: 1 net/container/7777", "first: true", "all: 10000"]);
  console.log(lines.slice(3).join("\n"));
});

kernelTest("UDP flows are found by their original destination and deleted", () => {
  const lines = inNamespace(`
    mount -t tmpfs none /run
    ip netns add peer
    ip link add v0 type veth peer name v1 netns peer
    ip address add 10.9.0.1/24 dev v0
    ip address add fd09::1/64 dev v0 nodad
    ip link set v0 up
    ip -n peer address add 10.9.0.2/24 dev v1
    ip -n peer address add fd09::2/64 dev v1 nodad
    ip -n peer link set v1 up
    nft 'add table inet track; add chain inet track out { type filter hook output priority 0; };' \
      'add rule inet track out ct state new counter'
    for to in 10.9.0.2/5301 10.9.0.2/5302 fd09::2/5301; do echo datagram >/dev/udp/$to; done
    run flows
    conntrack -L 2>/dev/null | grep -c udp || true
    ip netns delete peer
  `);
  expect(lines).toEqual([
    "flows: 2 1",
    "elsewhere: 0",
    "flow of protocol 17 10.9.0.1",
    "refused: 0",
    "deleted: true, again: false",
    "left: 1",
    "rest: 1",
    "six: 1 0",
    "0",
  ]);
});
