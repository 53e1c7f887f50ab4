import { describe, expect, test } from "vitest";
import { addressFormat, macFormat } from "./formats.ts";
import { Keys, unsupportedField } from "./keys.ts";
import { Problems } from "./problems.ts";

const trunk = (keys: Keys): (number | undefined)[] => [
  keys.optionalInteger("minID", "first VLAN", 1, 4094),
  keys.optionalInteger("maxID", "last VLAN", 1, 4094),
];

/** Every way to ask for a key, once. */
const everything = (keys: Keys) => ({
  text: keys.text("bridge", "cni0", "the bridge"),
  optionalText: keys.optionalText("master", "the parent"),
  flag: keys.flag("isGateway", false, "be a gateway"),
  optionalFlag: keys.optionalFlag("snat", "masquerade"),
  integer: keys.integer("mtu", 1500, "bytes"),
  limited: keys.integer("vlan", 0, "VLAN", 0, 4094),
  optionalInteger: keys.optionalInteger("table", "routing table", 0, 4294967295),
  choice: keys.oneOf("mode", ["bridge", "vepa"], "bridge", "the mode"),
  optionalChoice: keys.optionalChoice("backend", ["nftables", "iptables"], "where rules live"),
  formatted: keys.optional("gateway", addressFormat, "the gateway")?.toString(),
  list: keys.formatted("servers", addressFormat, "servers").map((server) => server.toString()),
  texts: keys.texts("search", "domains"),
  pairs: keys.textMembers("sysctl", "kernel settings"),
  members: keys.members(
    "runtimeConfig",
    (inner: Keys) => inner.optional("mac", macFormat, "hardware address"),
    "runtime",
  ),
  trunk: keys.optionalList("vlanTrunk", trunk, "VLANs"),
  routes: keys.list("routes", trunk, "routes"),
  ranges: keys.listOfLists("ranges", trunk, "range sets"),
  anything: keys.anything("extra", "not looked into"),
});

const defaults = {
  text: "cni0",
  optionalText: undefined,
  flag: false,
  optionalFlag: undefined,
  integer: 1500,
  limited: 0,
  optionalInteger: undefined,
  choice: "bridge",
  optionalChoice: undefined,
  formatted: undefined,
  list: [],
  texts: [],
  pairs: [],
  members: undefined,
  trunk: undefined,
  routes: [],
  ranges: [],
  anything: undefined,
};

const full = {
  bridge: "br0",
  master: "eth1",
  isGateway: true,
  snat: false,
  mtu: 9000,
  vlan: 100,
  table: 4294967295,
  mode: "vepa",
  backend: "iptables",
  gateway: "FD00::1",
  servers: ["10.0.0.1"],
  search: ["a", "b"],
  sysctl: { "net.ipv4.conf.IFNAME.X": "1" },
  runtimeConfig: { mac: "C2-11-22-33-44-55" },
  vlanTrunk: [{ minID: 1, maxID: 4094 }, {}],
  routes: [{ minID: 2 }],
  ranges: [[{ minID: 3 }], []],
  extra: [1, null],
};

const finished = {
  text: "br0",
  optionalText: "eth1",
  flag: true,
  optionalFlag: false,
  integer: 9000,
  limited: 100,
  optionalInteger: 4294967295,
  choice: "vepa",
  optionalChoice: "iptables",
  formatted: "fd00::1",
  list: ["10.0.0.1"],
  texts: ["a", "b"],
  pairs: [["net.ipv4.conf.IFNAME.X", "1"]],
  members: "c2:11:22:33:44:55",
  trunk: [
    [1, 4094],
    [undefined, undefined],
  ],
  routes: [[2, undefined]],
  ranges: [[[3, undefined]], []],
  anything: [1, null],
};

const strict = (value: unknown): Keys => Keys.of(value, "", new Problems(false));

describe("values", () => {
  test("absent keys have their defaults", () => {
    expect(everything(strict({}))).toEqual(defaults);
    expect(everything(strict(undefined))).toEqual(defaults);
  });

  test("null is the same as absent", () => {
    const nulls = Object.fromEntries(Object.keys(full).map((name) => [name, null]));
    expect(everything(strict(nulls))).toEqual(defaults);
  });

  test("each kind is read", () => {
    expect(everything(strict(full))).toEqual(finished);
  });

  test("names match in any case, those of nested objects too; the names of free-form members keep theirs", () => {
    const shout = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shout);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toUpperCase(), shout(member)]));
    };
    expect(everything(strict(shout({ ...full, sysctl: {} })))).toEqual({ ...finished, pairs: [] });
    expect(strict({ SYSCTL: { "net.Core": "1" } }).textMembers("sysctl", "")).toEqual([["net.Core", "1"]]);
  });

  test("empty text is text, and absence for a choice or a format", () => {
    const empty = everything(strict({ bridge: "", master: "", mode: "", backend: "", gateway: "" }));
    expect(empty).toEqual({ ...defaults, text: "", optionalText: "" });
  });

  test("null items of lists of objects are empty objects", () => {
    expect(everything(strict({ vlanTrunk: [null], ranges: [null, [null]] }))).toMatchObject({
      trunk: [[undefined, undefined]],
      ranges: [[], [[undefined, undefined]]],
    });
  });

  test("integers may be written with a fraction of zero", () => {
    expect(strict(JSON.parse('{"mtu":1400.0}')).integer("mtu", 0, "")).toBe(1400);
  });
});

const mistakes: readonly (readonly [unknown, string])[] = [
  [{ vlanTrunk: [{}, { maxID: "7" }] }, "vlanTrunk[1].maxID: expected an integer, found a string"],
  [{ vlanTrunk: [1] }, "vlanTrunk[0]: expected an object, found a number"],
  [{ vlanTrunk: {} }, "vlanTrunk: expected a list, found an object"],
  [{ ranges: [[], [{ minID: 0 }]] }, "ranges[1][0].minID: 0 is out of range: must be between 1 and 4094"],
  [{ ranges: [{}] }, "ranges[0]: expected a list, found an object"],
  [{ ranges: 1 }, "ranges: expected a list of lists, found a number"],
  [{ bridge: 1 }, "bridge: expected a string, found a number"],
  [{ isGateway: "true" }, "isGateway: expected true or false, found a string"],
  [{ mtu: "1400" }, "mtu: expected an integer, found a string"],
  [{ mtu: 1400.5 }, "mtu: expected an integer, found a number"],
  [{ mtu: 4294967296 }, "mtu: 4294967296 is out of range: must be between -2147483648 and 4294967295"],
  [{ vlan: -1 }, "vlan: -1 is out of range: must be between 0 and 4094"],
  [{ vlan: 4095 }, "vlan: 4095 is out of range: must be between 0 and 4094"],
  [{ mode: "private" }, 'mode: "private" is not one of bridge, vepa'],
  [{ mode: 1 }, "mode: expected a string, found a number"],
  [{ gateway: "10.0.0.01" }, 'gateway: expected an IP address, found "10.0.0.01"'],
  [{ servers: ["10.0.0.1", ""] }, 'servers[1]: expected an IP address, found ""'],
  [{ servers: [1] }, "servers[0]: expected a string, found a number"],
  [{ search: "a" }, "search: expected a list of strings, found a string"],
  [{ sysctl: { a: 1 } }, "sysctl.a: expected a string, found a number"],
  [{ sysctl: [] }, "sysctl: expected an object of strings, found a list"],
  [{ runtimeConfig: [] }, "runtimeConfig: expected an object, found a list"],
  [{ RUNTIMECONFIG: { MAC: "x" } }, 'runtimeConfig.mac: expected a hardware address (c2:11:22:33:44:55), found "x"'],
  [[], "expected an object, found a list"],
];

describe("mistakes", () => {
  test.each(mistakes)("%j: %s", (value, message) => {
    expect(() => everything(strict(value))).toThrow(expect.objectContaining({ code: 7, message }));
  });

  test.each(mistakes)("%j is collected where it must not stop the work, and reads as absent", (value, message) => {
    const problems = new Problems(true);
    everything(Keys.of(value, "", problems));
    expect([problems.found, problems.shape]).toEqual([[message], [message]]);
  });

  test("all are collected, and good keys keep their values", () => {
    const problems = new Problems(true);
    const values = everything(Keys.of({ mtu: "x", vlan: 5000, bridge: "br1" }, "", problems));
    expect(problems.found).toHaveLength(2);
    expect(values).toEqual({ ...defaults, text: "br1" });
  });

  test("what a plugin refuses itself is no matter of shape", () => {
    const problems = new Problems(true);
    const keys = Keys.of({}, "ipam", problems);
    keys.refuse("start is after end", "rangeStart");
    keys.refuse("no range at all");
    expect(problems.found).toEqual(["ipam.rangeStart: start is after end", "ipam: no range at all"]);
    expect(problems.shape).toEqual([]);
    expect(() => strict({}).refuse("no", "mtu", "use yes")).toThrow(
      expect.objectContaining({ code: 7, message: "mtu: no", details: "use yes" }),
    );
  });

  test.each([{}, { master: "" }, { master: null }])("a required text must be there: %j", (value) => {
    expect(() => strict(value).requiredText("master", "the parent")).toThrow("master: missing: a value is required");
  });

  test("what the kernel cannot serve has the specification's code 2 with key and value", () => {
    expect(unsupportedField("mode", "vepa", "no such link type")).toMatchObject({
      code: 2,
      message: "mode: vepa cannot be served: no such link type",
    });
  });
});

describe("description", () => {
  const keys = new Keys(undefined, "", new Problems(true));
  everything(keys);
  const rows = Object.fromEntries(keys.describe().map((row) => [row.name, row]));

  test("has every key in the order it was asked for", () => {
    expect(keys.describe().map((row) => row.name)).toEqual(Object.keys(full));
  });

  test.each([
    ["bridge", { kind: "string", fallback: '"cni0"', meaning: "the bridge", required: false }],
    ["isGateway", { kind: "boolean", fallback: "false" }],
    ["snat", { kind: "boolean", fallback: "" }],
    ["vlan", { kind: "integer", fallback: "0", range: [0, 4094] }],
    ["mode", { kind: "string", choices: ["bridge", "vepa"], fallback: '"bridge"' }],
    ["gateway", { kind: "string", pattern: addressFormat.pattern }],
    ["servers", { kind: "array", items: "string", pattern: addressFormat.pattern }],
    ["sysctl", { kind: "object", items: "string" }],
    ["extra", { kind: "any" }],
  ])("of %s", (name, row) => {
    expect(rows[name]).toMatchObject(row);
  });

  test("has the keys of nested objects and of items", () => {
    const inner = (name: string): unknown => rows[name]?.members.map((row) => row.name);
    expect(inner("runtimeConfig")).toEqual(["mac"]);
    expect(inner("vlanTrunk")).toEqual(["minID", "maxID"]);
    expect([rows["ranges"]?.items, inner("ranges")]).toEqual(["array", ["minID", "maxID"]]);
  });

  test("an object is required when one of its keys is", () => {
    const outer = new Keys(undefined, "", new Problems(true));
    outer.members("ipam", (ipam: Keys) => ipam.requiredText("type", "plugin"), "addresses");
    expect(outer.describe()).toMatchObject([
      { name: "ipam", required: true, members: [{ name: "type", required: true }] },
    ]);
  });
});

describe("unasked keys", () => {
  test("are those that nobody asked for, in any case, as they are written", () => {
    const keys = strict({ BRIDGE: "x", isGatway: true, Other: 1 });
    everything(keys);
    expect(keys.unasked()).toEqual(["isGatway", "Other"]);
  });

  test("may be close to one that was asked for", () => {
    const keys = strict({});
    everything(keys);
    expect([keys.meantBy("isGatway"), keys.meantBy("Other")]).toEqual(["isGateway", undefined]);
  });
});
