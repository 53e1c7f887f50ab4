import { describe, expect, test } from "vitest";
import { CniError } from "../spec/errors.ts";
import { NetworkList } from "./network-list.ts";

const plugins = [{ type: "bridge" }];

function list(members: object): NetworkList {
  return NetworkList.parse(JSON.stringify({ name: "net", ...members }));
}

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof CniError) return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a network configuration list", () => {
  test("has its name, version, flags and plugins", () => {
    const parsed = NetworkList.parse(
      '{"cniVersion":"1.0.0","name":"net","disableCheck":true,"plugins":[{"type":"bridge","capabilities":{"mac":true,"ips":false}},{"type":"portmap"}]}',
    );
    expect(parsed).toMatchObject({ name: "net", cniVersion: "1.0.0", disableCheck: true, disableGc: false });
    expect(parsed.plugins.map((plugin) => plugin.type)).toEqual(["bridge", "portmap"]);
    expect(parsed.plugins.map((plugin) => plugin.capabilities)).toEqual([["mac"], []]);
  });

  const flags: readonly (readonly [value: unknown, flag: boolean])[] = [
    [true, true],
    [false, false],
    ["true", true],
    ["TRUE", true],
    ["False", false],
    [null, false],
  ];
  test.each(flags)("reads %j as %j in every flag", (value, flag) => {
    const parsed = list({ plugins, disableCheck: value, disableGC: value, loadOnlyInlinedPlugins: value });
    expect(parsed).toMatchObject({ disableCheck: flag, disableGc: flag, loadOnlyInlinedPlugins: flag });
  });

  const versions: readonly (readonly [members: object, chosen: string])[] = [
    [{}, ""],
    [{ cniVersion: "0.4.0" }, "0.4.0"],
    [{ cniVersion: "9.9.9" }, "9.9.9"],
    [{ cniVersions: ["0.3.1", "1.0.0", "0.4.0"] }, "1.0.0"],
    [{ cniVersion: "0.4.0", cniVersions: ["0.3.1"] }, "0.4.0"],
    [{ cniVersion: "0.3.1", cniVersions: ["1.1.0", "1.0.0"] }, "1.1.0"],
    [{ cniVersion: "1.0.0", cniVersions: ["2.0.0", "1.2.0"] }, "1.0.0"],
    [{ cniVersion: "0.4.0", cniVersions: [] }, "0.4.0"],
    [{ cniVersion: "2.0.0", cniVersions: ["3.0.0"] }, "2.0.0"],
    [{ cniVersions: ["0.10.0", "0.4.0"] }, "0.10.0"],
  ];
  test.each(versions)("with %j is spoken in version %j", (members, chosen) => {
    expect(list({ plugins, ...members }).cniVersion).toBe(chosen);
  });

  test("may leave its plugins to the network's directory", () => {
    expect(list({}).plugins).toEqual([]);
  });

  const refusals: readonly (readonly [members: object, message: RegExp])[] = [
    [{ name: undefined, plugins }, /^error parsing configuration list: no name$/],
    [{ name: "", plugins }, /no name$/],
    [{ name: 7, plugins }, /invalid name type a number$/],
    [{ plugins, cniVersion: 1 }, /invalid cniVersion type a number$/],
    [{ plugins, cniVersions: "1.0.0" }, /invalid type for cniVersions: a string$/],
    [{ plugins, cniVersions: ["1.0.0", 2] }, /invalid type for cniVersions index 1: a number$/],
    [{ plugins, cniVersions: ["1.x"] }, /invalid cniVersions entry 1\.x at index 0: /],
    [{ plugins, cniVersion: "1.2.3.4", cniVersions: [] }, /invalid cniVersion 1\.2\.3\.4: .*too many parts/],
    [{ plugins, disableCheck: "maybe" }, /invalid value "maybe" for disableCheck$/],
    [{ plugins, disableGC: 1 }, /invalid type a number for disableGC$/],
    [{ plugins, loadOnlyInlinedPlugins: [] }, /invalid type a list for loadOnlyInlinedPlugins$/],
    [{ loadOnlyInlinedPlugins: true }, /`loadOnlyInlinedPlugins` is true, and no 'plugins' key$/],
    [{ plugins: {} }, /invalid 'plugins' type an object$/],
    [{ plugins: [] }, /no plugins in list$/],
    [
      { plugins: [{ type: "a" }, { mtu: 1 }] },
      /failed to parse plugin config 1: error parsing configuration: missing 'type'$/,
    ],
    [{ plugins: [null] }, /failed to parse plugin config 0: .*found null$/],
    [{ plugins: [{ type: "a", capabilities: { mac: "yes" } }] }, /capabilities\.mac: expected true or false/],
  ];
  test.each(refusals)("with %j is refused", (members, message) => {
    expect(refusal(() => list(members))).toMatch(message);
  });

  test("that is no JSON is refused", () => {
    expect(refusal(() => NetworkList.parse('{"name":'))).toMatch(/cannot decode network configuration list/);
  });
});

describe("a file of a single plugin", () => {
  test("becomes a list of one, with its name and version", () => {
    const parsed = NetworkList.parseSingle('{"cniVersion":"0.2.0","name":"old","type":"bridge","bridge":"br0"}');
    expect(parsed).toMatchObject({ name: "old", cniVersion: "0.2.0" });
    expect(parsed.plugins.map((plugin) => plugin.describe())).toEqual(['type="bridge" name="old"']);
  });

  test("without a type is refused", () => {
    expect(refusal(() => NetworkList.parseSingle('{"name":"x"}'))).toBe("error parsing configuration: missing 'type'");
  });

  test("that is a list really is refused, and the reason is said", () => {
    try {
      NetworkList.parseSingle('{"name":"x","plugins":[]}');
      expect.unreachable();
    } catch (error) {
      expect((error as CniError).details).toMatch(/\.conflist/);
    }
  });
});
