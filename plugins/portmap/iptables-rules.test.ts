import { describe, expect, test } from "vitest";
import { Address } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { Attachment } from "../../pkg/skel/attachment.ts";
import type { PortMapping, Protocol } from "./config.ts";
import { dnatChain, type IptablesPlan, installation, mappingsIn, missing, staleChains } from "./iptables-rules.ts";
import { targetsOf } from "./targets.ts";

const chain = dnatChain("net", "c1");

function mapping(hostPort: number, containerPort: number, protocol: Protocol = "tcp", hostIp = ""): PortMapping {
  return { hostPort, containerPort, protocol, hostIp: Address.parse(hostIp) };
}

function plan(mappings: PortMapping[], container = "10.1.0.2/24", more: Partial<IptablesPlan> = {}): IptablesPlan {
  const prefix = Prefix.parse(container) ?? Prefix.host(new Address(new Uint8Array(4)));
  return {
    attachment: new Attachment("net", "c1", "eth0"),
    targets: targetsOf(mappings, [prefix]),
    mappings,
    snat: true,
    masqAll: false,
    markBit: 13,
    externalSetMarkChain: "",
    conditions: [],
    ...more,
  };
}

/** What a table looks like once the lines are applied. */
function applied(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^-N (\S+)$/, ":$1 - [0:0]").replace("-I POSTROUTING 1", "-A POSTROUTING"));
}

const entry = (protocol: string, ports: string): string =>
  `-A CNI-HOSTPORT-DNAT -p ${protocol} -m comment --comment "dnat name: \\"net\\" id: \\"c1\\"" -m multiport --dports ${ports} -j ${chain}`;

describe("installation()", () => {
  test("makes the reference's chains and rules in an empty table", () => {
    expect(installation([], plan([mapping(8080, 80), mapping(8081, 81, "udp", "192.0.2.1")]))).toEqual([
      "-N CNI-HOSTPORT-SETMARK",
      "-N CNI-HOSTPORT-MASQ",
      "-N CNI-HOSTPORT-DNAT",
      '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
      "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
      '-I POSTROUTING 1 -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      `-N ${chain}`,
      entry("tcp", "8080"),
      entry("udp", "8081"),
      `-A ${chain} -s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK`,
      `-A ${chain} -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK`,
      `-A ${chain} -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.2:80`,
      `-A ${chain} -s 10.1.0.0/24 -d 192.0.2.1/32 -p udp -m udp --dport 8081 -j CNI-HOSTPORT-SETMARK`,
      `-A ${chain} -s 127.0.0.1/32 -d 192.0.2.1/32 -p udp -m udp --dport 8081 -j CNI-HOSTPORT-SETMARK`,
      `-A ${chain} -d 192.0.2.1/32 -p udp -m udp --dport 8081 -j DNAT --to-destination 10.1.0.2:81`,
    ]);
  });

  test("replaces what the container had, and leaves the shared chains as they are", () => {
    const saved = applied(installation([], plan([mapping(8080, 80)])));
    expect(installation(saved, plan([mapping(9090, 90)], "10.1.0.2/24", { snat: false }))).toEqual([
      entry("tcp", "8080").replace("-A", "-D"),
      `-F ${chain}`,
      entry("tcp", "9090"),
      `-A ${chain} -p tcp -m tcp --dport 9090 -j DNAT --to-destination 10.1.0.2:90`,
    ]);
  });

  test("IPv6 has no localhost rule and its end in brackets", () => {
    const lines = installation([], plan([mapping(8080, 80)], "fd00::2/64"));
    expect(lines.slice(-2)).toEqual([
      `-A ${chain} -s fd00::/64 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK`,
      `-A ${chain} -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80`,
    ]);
  });

  test("an external chain marks, and no chain of ours is made for it", () => {
    const text = installation(
      [],
      plan([mapping(8080, 80)], undefined, { externalSetMarkChain: "KUBE-MARK-MASQ" }),
    ).join("\n");
    expect(text).toContain("-s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ");
    expect(text).not.toMatch(/SETMARK|CNI-HOSTPORT-MASQ/);
  });

  test("masqAll marks every source, another bit makes another mark", () => {
    const text = installation([], plan([mapping(8080, 80)], undefined, { masqAll: true, markBit: 31 })).join("\n");
    expect(text).toContain("--set-xmark 0x80000000/0x80000000");
    expect(text).toContain(`-A ${chain} -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK`);
    expect(text).not.toContain("127.0.0.1");
  });

  test("conditions stand before the jump, quoted", () => {
    const conditions = ["!", "-s", "192.0.2.0/24", "-m", "comment", "--comment", 'a "b"'];
    const lines = installation([], plan([mapping(8080, 80)], undefined, { conditions }));
    expect(lines.find((line) => line.includes("multiport"))).toContain(
      `--dports 8080 ! -s 192.0.2.0/24 -m comment --comment "a \\"b\\"" -j ${chain}`,
    );
  });

  test("more than fifteen ports need more than one rule", () => {
    const many = Array.from({ length: 31 }, (_, at) => mapping(8000 + at, 80));
    const entries = installation([], plan(many)).filter((line) => line.includes("multiport"));
    expect(entries.map((line) => line.split(",").length)).toEqual([15, 15, 1]);
  });
});

test("what is missing is named", () => {
  const wanted = plan([mapping(8080, 80)]);
  const saved = applied(installation([], wanted));
  expect(missing(saved, wanted, 4)).toEqual([]);
  expect(missing([], wanted, 4).join()).toMatch(/could not check ipv4 dnat: chain CNI-DN-\w+ not found/);
  for (const line of saved.filter((each) => each.startsWith("-A "))) {
    expect(
      missing(
        saved.filter((each) => each !== line),
        wanted,
        4,
      ),
      line,
    ).toHaveLength(1);
  }
});

test("mappings, and chains of the dead, are read back from the rules", () => {
  const saved = applied(installation([], plan([mapping(8081, 81, "udp", "192.0.2.1")])));
  const [found] = mappingsIn(saved, chain);
  expect([found?.protocol, found?.hostPort, found?.containerPort]).toEqual([17, 8081, 81]);
  expect([found?.hostIp?.toString(), found?.container.toString()]).toEqual(["192.0.2.1", "10.1.0.2"]);
  expect(staleChains(saved, "net", [])).toEqual([chain]);
  expect(staleChains(saved, "net", ["c1"])).toEqual([]);
  expect(staleChains(saved, "ne", [])).toEqual([]);
});
