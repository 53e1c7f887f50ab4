/** The rules as nft prints them; test/portmap shows what they do to packets. */
import { describe, expect, test } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { chainText } from "../../pkg/nftables/chain.ts";
import { concatenation } from "../../pkg/nftables/datum.ts";
import { elementText } from "../../pkg/nftables/element.ts";
import { parseConditions } from "./conditions.ts";
import type { PortMapping } from "./config.ts";
import { masqueradeElements, portElement } from "./elements.ts";
import { decodeMapped, type Mapped, mappedText } from "./mapped.ts";
import { conditionalRules, neighbourRule, standingChains } from "./rules.ts";
import { neighbourSet } from "./sets.ts";
import { containerAddresses, targetsOf } from "./targets.ts";

const container4 = Prefix.parse("10.1.0.2/24") ?? Prefix.host(new Address(new Uint8Array(4)));
const container6 = Prefix.parse("fd00::2/128") ?? Prefix.host(new Address(new Uint8Array(4)));
const web: PortMapping = { hostPort: 8080, containerPort: 80, protocol: "tcp", hostIp: undefined };
const alone: PortMapping = { hostPort: 8081, containerPort: 81, protocol: "udp", hostIp: Address.parse("192.0.2.1") };
const any6: PortMapping = { hostPort: 8082, containerPort: 82, protocol: "sctp", hostIp: Address.parse("::") };

const nothing: Mapped = {
  protocol: 0,
  hostPort: 0,
  hostIp: undefined,
  container: container4.address,
  containerPort: 0,
};

test("the chains that stand", () => {
  const lines: string[] = [];
  for (const { chain, rules } of standingChains())
    lines.push(chainText(chain), ...rules.map((rule) => `  ${rule.text}`));
  expect(lines).toEqual([
    "chain conditional",
    "chain neighbours",
    "chain hostports",
    "  jump conditional",
    "  dnat ip to ip daddr . meta l4proto . th dport map @addressed4",
    "  dnat ip6 to ip6 daddr . meta l4proto . th dport map @addressed6",
    "  dnat ip to meta l4proto . th dport map @ports4",
    "  dnat ip6 to meta l4proto . th dport map @ports6",
    "chain prerouting { type nat hook prerouting priority -95; policy accept; }",
    "  fib daddr type local jump hostports",
    "chain output { type nat hook output priority -95; policy accept; }",
    "  ip6 daddr ::1 return",
    "  fib daddr type local jump hostports",
    "chain masquerading",
    "  ip saddr . ip daddr @self4 masquerade",
    "  ip daddr . meta l4proto . th dport . ct original proto-dst @all4 masquerade",
    "  ip6 saddr . ip6 daddr @self6 masquerade",
    "  ip6 daddr . meta l4proto . th dport . ct original proto-dst @all6 masquerade",
    "  ip saddr 127.0.0.0/8 ip daddr . meta l4proto . th dport . ct original proto-dst @local4 masquerade",
    "  jump neighbours",
    "chain postrouting { type nat hook postrouting priority 105; policy accept; }",
    "  ct status dnat jump masquerading",
    "chain guard { type filter hook prerouting priority -300; policy accept; }",
    '  iifname != "lo" ip daddr 127.0.0.0/8 drop',
  ]);
});

test("the rule of a subnet", () => {
  const set = neighbourSet(container4);
  expect(neighbourRule(set, container4.masked).text).toBe(
    `ip saddr 10.1.0.0/24 ip daddr . meta l4proto . th dport . ct original proto-dst @${set.name} masquerade comment "${set.name}"`,
  );
});

describe("elements", () => {
  const targets = targetsOf([web, alone, any6], [container4, container6]);

  test("each mapping is in the map of its family, with or without the host's address", () => {
    const lines = targets
      .map((target) => portElement(target, "tag"))
      .map(({ set, element }) => `${set} ${elementText(element)}`);
    expect(lines).toEqual([
      'ports4 tcp . 8080 comment "tag" : 10.1.0.2 . 80',
      'addressed4 192.0.2.1 . udp . 8081 comment "tag" : 10.1.0.2 . 81',
      'ports6 tcp . 8080 comment "tag" : fd00::2 . 80',
      'ports6 sctp . 8082 comment "tag" : fd00::2 . 82',
    ]);
  });

  test("masquerading is by container, port and the port that was asked for; a /128 has no neighbours", () => {
    const options = { snat: true, masqAll: false };
    const sets = masqueradeElements(targetsOf([web], [container4, container6]), options, "tag");
    expect(sets.map(({ set, element }) => `${set} ${element.key.text}`)).toEqual([
      "self4 10.1.0.2 . 10.1.0.2",
      "local4 10.1.0.2 . tcp . 80 . 8080",
      `${neighbourSet(container4).name} 10.1.0.2 . tcp . 80 . 8080`,
      "self6 fd00::2 . fd00::2",
    ]);
    expect(masqueradeElements(targets, { snat: false, masqAll: true }, "tag")).toEqual([]);
    const all = masqueradeElements(targetsOf([web], [container6]), { snat: true, masqAll: true }, "tag");
    expect(all.map(({ set, element }) => `${set} ${element.key.text}`)).toEqual(["all6 fd00::2 . tcp . 80 . 8080"]);
  });

  test("a mapping is read back from its element", () => {
    for (const target of targets) {
      const { element } = portElement(target, "tag");
      const mapped = decodeMapped(concatenation([element.key]).bytes, element.data?.bytes ?? new Uint8Array(0));
      expect(mapped?.hostPort).toBe(target.mapping.hostPort);
      expect(mapped?.containerPort).toBe(target.mapping.containerPort);
      expect(mapped?.container.toString()).toBe(target.container.address.toString());
    }
    const texts = targets.map((target) => portElement(target, "tag").element);
    expect(
      texts.map(({ key, data }) => mappedText(decodeMapped(key.bytes, data?.bytes ?? key.bytes) ?? nothing)),
    ).toEqual(["8080/tcp", "192.0.2.1:8081/udp", "8080/tcp", "8082/sctp"]);
  });
});

test("rules with conditions lead to the container by themselves", () => {
  const conditions = parseConditions(["iifname", "{ a, b }"], "conditionsV4");
  const rules = targetsOf([alone], [container4]).flatMap((target) => conditionalRules(target, conditions, "tag"));
  expect(rules.map((rule) => rule.text)).toEqual([
    'ip daddr 192.0.2.1 meta l4proto udp th dport 8081 iifname "a" dnat ip to 10.1.0.2:81 comment "tag"',
    'ip daddr 192.0.2.1 meta l4proto udp th dport 8081 iifname "b" dnat ip to 10.1.0.2:81 comment "tag"',
  ]);
});

describe("targetsOf()", () => {
  test("a mapping said twice counts once", () => {
    expect(targetsOf([web, { ...web }], [container4])).toHaveLength(1);
  });

  test("one port cannot lead to two", () => {
    expect(() => targetsOf([web, { ...web, containerPort: 81 }], [container4])).toThrow(
      /host port 8080\/tcp is mapped twice/,
    );
  });
});

test("containerAddresses() takes the first of each family that is not another interface's", () => {
  const device = (name: string, sandbox: string) => ({ name, sandbox, mac: "", mtu: 0, socketPath: "", pciID: "" });
  const ip = (text: string, at: number | undefined) => ({
    address: Prefix.parse(text) ?? container4,
    gateway: undefined,
    interface: at,
  });
  const result = {
    interfaces: [device("cni0", ""), device("net1", "/run/netns/x"), device("eth0", "/run/netns/x")],
    ips: [ip("10.9.0.1/24", 0), ip("10.8.0.2/24", 1), ip("fd00::2/64", 2), ip("10.1.0.2/24", 2), ip("10.1.0.3/24", 2)],
    routes: [],
    dns: { nameservers: [], domain: "", search: [], options: [] },
  };
  expect(containerAddresses(result, "eth0").map((each) => each.toString())).toEqual(["10.1.0.2/24", "fd00::2/64"]);
  const unnamed = { ...result, ips: [ip("10.1.0.2/24", undefined), ip("fd00::2/64", 9)] };
  expect(containerAddresses(unnamed, "eth0").map((each) => each.toString())).toEqual(["10.1.0.2/24", "fd00::2/64"]);
});
