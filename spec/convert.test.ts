import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyResult } from "../test/helpers/arbitrary-result.ts";
import { parseResult, renderResult } from "./convert.ts";
import { emptyResult, type Result } from "./result.ts";
import { specVersions } from "./versions.ts";

const parse = (document: unknown, version: string): Result => parseResult(document, version, "prevResult");
/** A document of one version as it reads in another. */
const convert = (document: unknown, from: string, to: string): unknown =>
  JSON.parse(renderResult(parse(document, from), to));

const of020 = (cniVersion: string) => ({
  cniVersion,
  ip4: {
    ip: "10.0.0.2/24",
    gateway: "10.0.0.1",
    routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "10.9.0.0/16" }],
  },
  ip6: { ip: "fd00::2/64", gateway: "fd00::1", routes: [{ dst: "::/0", gw: "fd00::1" }] },
  dns: { nameservers: ["10.0.0.1"], domain: "local", search: ["local"], options: ["ndots:2"] },
});

const routes = [
  { dst: "0.0.0.0/0", gw: "10.0.0.1" },
  { dst: "10.9.0.0/16", mtu: 1400, advmss: 1360, priority: 5, table: 0, scope: 0 },
  { dst: "::/0", gw: "fd00::1", table: 100, scope: 253 },
];

const of040 = (cniVersion: string) => ({
  cniVersion,
  interfaces: [
    { name: "cni0", mac: "c2:11:22:33:44:55" },
    { name: "eth0", sandbox: "/run/netns/x" },
  ],
  ips: [
    { version: "4", interface: 0, address: "10.0.0.2/24", gateway: "10.0.0.1" },
    { version: "4", address: "10.0.0.3/24" },
    { version: "6", interface: 1, address: "fd00::2/64", gateway: "fd00::1" },
  ],
  routes,
  dns: { nameservers: ["10.0.0.1"] },
});

const of100 = (cniVersion: string) => ({
  cniVersion,
  interfaces: [
    { name: "cni0", mac: "c2:11:22:33:44:55", mtu: 1500 },
    { name: "eth0", sandbox: "/run/netns/x", socketPath: "/run/vhost", pciID: "0000:00:1f.6" },
  ],
  ips: [
    { interface: 0, address: "10.0.0.2/24", gateway: "10.0.0.1" },
    { address: "10.0.0.3/24" },
    { interface: 1, address: "fd00::2/64", gateway: "fd00::1" },
  ],
  routes,
  dns: { nameservers: ["10.0.0.1"] },
});

function sample(version: string): unknown {
  const shape = specVersions.find((each) => each.name === version)?.shape;
  return shape === "020" ? of020(version) : shape === "040" ? of040(version) : of100(version);
}
const names = specVersions.map((version) => version.name);
const pairsWithin = specVersions.flatMap((from) =>
  specVersions.filter((to) => to.shape === from.shape).map((to) => [from.name, to.name] as const),
);

describe("within a shape a result only changes its label", () => {
  test.each(pairsWithin)("%s to %s", (from, to) => {
    expect(convert(sample(from), from, to)).toEqual(sample(to));
  });
});

describe("between shapes", () => {
  test.each([
    ["0.1.0", "0.3.0"],
    ["0.2.0", "0.3.1"],
    ["0.2.0", "0.4.0"],
    ["0.1.0", "1.0.0"],
    ["0.2.0", "1.1.0"],
  ])("%s to %s: both addresses, their routes one after the other, no interface", (from, to) => {
    const version = to.startsWith("0") ? { four: { version: "4" }, six: { version: "6" } } : { four: {}, six: {} };
    expect(convert(of020(from), from, to)).toEqual({
      cniVersion: to,
      ips: [
        { ...version.four, address: "10.0.0.2/24", gateway: "10.0.0.1" },
        { ...version.six, address: "fd00::2/64", gateway: "fd00::1" },
      ],
      routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "10.9.0.0/16" }, { dst: "::/0", gw: "fd00::1" }],
      dns: of020(from).dns,
    });
  });

  test.each([
    ["0.3.0", "1.0.0"],
    ["0.4.0", "1.1.0"],
  ])("%s to %s: addresses lose their version, routes keep all", (from, to) => {
    const wanted = of100(to);
    expect(convert(of040(from), from, to)).toEqual({ ...wanted, interfaces: of040(from).interfaces });
  });

  test.each([
    ["1.0.0", "0.3.0"],
    ["1.1.0", "0.3.1"],
    ["1.1.0", "0.4.0"],
  ])("%s to %s: addresses gain their version, interfaces keep name, mac and sandbox, routes keep all", (from, to) => {
    expect(convert(of100(from), from, to)).toEqual(of040(to));
  });

  test.each(names.slice(2).flatMap((from) => names.slice(0, 2).map((to) => [from, to] as const)))(
    "%s to %s: the first address of each family, plain routes beside it, no interface",
    (from, to) => {
      expect(convert(sample(from), from, to)).toEqual({ ...of020(to), dns: { nameservers: ["10.0.0.1"] } });
    },
  );

  test("to 0.2.0: routes of a family without address are dropped", () => {
    const four = { ...of100("1.1.0"), ips: [{ address: "10.0.0.2/24" }] };
    expect(convert(four, "1.1.0", "0.2.0")).toEqual({
      cniVersion: "0.2.0",
      ip4: { ip: "10.0.0.2/24", routes: of020("").ip4.routes },
      dns: { nameservers: ["10.0.0.1"] },
    });
    expect(convert({ ips: [{ address: "fd00::2/64" }] }, "1.1.0", "0.1.0")).toEqual({
      cniVersion: "0.1.0",
      ip6: { ip: "fd00::2/64" },
      dns: {},
    });
  });

  test.each(["", "0.1.0", "0.2.0"])("to %j: a result without address cannot be said", (version) => {
    const interfaces = { interfaces: [{ name: "eth0" }] };
    expect(() => convert(interfaces, "1.0.0", version)).toThrow(
      expect.objectContaining({ code: 1, message: "cannot convert: no valid IP addresses" }),
    );
  });
});

describe("what is written", () => {
  test("four spaces, no newline at the end", () => {
    const one = { ips: [{ address: "10.0.0.2/24", interface: 0 }] };
    expect(renderResult(parse(one, "1.0.0"), "1.0.0")).toBe(
      `{
    "cniVersion": "1.0.0",
    "ips": [
        {
            "address": "10.0.0.2/24",
            "interface": 0
        }
    ]
}`,
    );
  });

  test("members of 0.3 and 0.4 stand in the order of the specification, those of 1.x by name", () => {
    const keys = (version: string): string[] =>
      Object.keys(JSON.parse(renderResult(parse(of100(""), "1.1.0"), version)));
    expect(keys("0.4.0")).toEqual(["cniVersion", "interfaces", "ips", "routes", "dns"]);
    expect(keys("1.1.0")).toEqual(["cniVersion", "dns", "interfaces", "ips", "routes"]);
  });

  test.each(names.slice(2))("%s: an empty result has no lists, and dns before 1.0.0 only", (version) => {
    const wanted = version.startsWith("0") ? { cniVersion: version, dns: {} } : { cniVersion: version };
    expect(JSON.parse(renderResult(emptyResult, version))).toEqual(wanted);
  });

  test("a configuration without version gets 0.1.0", () => {
    expect(convert(of020(""), "", "")).toEqual(of020("0.1.0"));
  });

  test("an unknown version is refused with code 1", () => {
    expect(() => renderResult(emptyResult, "1.2.0")).toThrow(
      expect.objectContaining({ code: 1, message: 'unsupported CNI result version "1.2.0"' }),
    );
  });
});

describe("what is read", () => {
  const families = [
    ["", "0.1.0", "0.2.0"],
    ["", "0.3.0", "0.3.1", "0.4.0"],
    ["", "1.0.0", "1.1.0"],
  ];
  const cases = names.flatMap((config) => ["", ...names].map((own) => [config, own] as const));
  test.each(cases)("a configuration of %s with a prevResult of %j", (config, own) => {
    const family = families.find((each) => each.includes(config)) ?? [];
    const document = { ...(sample(config) as object), cniVersion: own };
    if (family.includes(own)) {
      expect(parse(document, config)).toEqual(parse(sample(config), config));
      return;
    }
    const supported = family.slice(1).join(" ");
    expect(() => parse(document, config)).toThrow(
      expect.objectContaining({
        code: 1,
        message: `could not parse prevResult: result type supports [${supported}] but unmarshalled CNIVersion is "${own}"`,
      }),
    );
  });

  test("a result without a version is of the configuration's", () => {
    expect(parse({ ip4: { ip: "10.0.0.2/24" } }, "").ips).toHaveLength(1);
    expect(parse({ ips: [{ address: "10.0.0.2/24" }] }, "0.3.1").ips).toHaveLength(1);
  });

  test("members in any case, null members as absent ones, unknown members not at all", () => {
    const document = {
      CNIVERSION: "1.0.0",
      Interfaces: [{ NAME: "eth0", mac: null, other: 1 }],
      ips: null,
      IPS: null,
      routes: [{ DST: "10.0.0.0/8", GW: "" }],
      dns: null,
    };
    expect(JSON.parse(renderResult(parse(document, "1.0.0"), "1.0.0"))).toEqual({
      cniVersion: "1.0.0",
      interfaces: [{ name: "eth0" }],
      routes: [{ dst: "10.0.0.0/8" }],
    });
  });

  test.each([
    [[], "1.0.0", "cannot decode prevResult: expected an object, found a list"],
    ["x", "1.0.0", "cannot decode prevResult: expected an object, found a string"],
    [{ cniVersion: 1 }, "1.0.0", "cannot decode prevResult.cniVersion: expected a string, found a number"],
    [{ ips: {} }, "1.0.0", "cannot decode prevResult.ips: expected a list, found an object"],
    [{ ips: [1] }, "0.4.0", "cannot decode prevResult.ips[0]: expected an object, found a number"],
    [
      { ips: [{ address: "10.0.0.2" }] },
      "1.0.0",
      'cannot decode prevResult.ips[0].address: invalid CIDR address "10.0.0.2"',
    ],
    [{ ips: [{}] }, "1.0.0", 'cannot decode prevResult.ips[0].address: invalid CIDR address ""'],
    [
      { ips: [{ address: "10.0.0.2/8", gateway: "x" }] },
      "1.0.0",
      'cannot decode prevResult.ips[0].gateway: invalid IP address "x"',
    ],
    [
      { ips: [{ address: "10.0.0.2/8", interface: "0" }] },
      "1.0.0",
      "cannot decode prevResult.ips[0].interface: expected an integer, found a string",
    ],
    [
      { interfaces: [{ name: 1 }] },
      "1.0.0",
      "cannot decode prevResult.interfaces[0].name: expected a string, found a number",
    ],
    [
      { routes: [{ dst: "10.0.0.0/8", mtu: 1.5 }] },
      "1.1.0",
      "cannot decode prevResult.routes[0].mtu: expected an integer, found a number",
    ],
    [{ dns: { search: [1] } }, "1.0.0", "cannot decode prevResult.dns.search[0]: expected a string, found a number"],
    [{ dns: [] }, "1.0.0", "cannot decode prevResult.dns: expected an object, found a list"],
    [{ ip4: "10.0.0.2/24" }, "0.2.0", "cannot decode prevResult.ip4: expected an object, found a string"],
    [{ ip6: { ip: "x" } }, "0.2.0", 'cannot decode prevResult.ip6.ip: invalid CIDR address "x"'],
  ])("%j in %s: %s", (document, version, message) => {
    expect(() => parse(document, version)).toThrow(expect.objectContaining({ code: 6, message }));
  });

  test("an unknown configuration's version is refused", () => {
    expect(() => parse({}, "1.2.0")).toThrow('unsupported CNI result version "1.2.0"');
  });
});

describe("round trips", () => {
  const text = (result: Result): unknown => JSON.parse(renderResult(result, "1.1.0"));

  test.each(["1.0.0", "1.1.0"])("%s says everything", (version) => {
    fc.assert(
      fc.property(anyResult, (result) => {
        const again = parse(JSON.parse(renderResult(result, version)), version);
        expect(text(again)).toEqual(text(result));
      }),
    );
  });

  test.each(["0.3.0", "0.3.1", "0.4.0"])("%s says all but what 1.1.0 added to interfaces", (version) => {
    fc.assert(
      fc.property(anyResult, (result) => {
        const again = parse(JSON.parse(renderResult(result, version)), version);
        const interfaces = result.interfaces.map((each) => ({ ...each, mtu: 0, socketPath: "", pciID: "" }));
        expect(text(again)).toEqual(text({ ...result, interfaces }));
      }),
    );
  });

  test.each(names)("%s: what was written reads back and is written the same", (version) => {
    fc.assert(
      fc.property(anyResult, (result) => {
        fc.pre(result.ips.length > 0);
        const written = renderResult(result, version);
        expect(renderResult(parse(JSON.parse(written), version), version)).toBe(written);
      }),
    );
  });
});
