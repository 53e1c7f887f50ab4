import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Outcome } from "../pkg/invoke/outcome.ts";
import { Environment } from "../spec/environment.ts";
import { CniError } from "../spec/errors.ts";
import { parseObject } from "../spec/json.ts";
import { type Attachment, noCapabilityArgs } from "./attachment.ts";
import { AttachmentCache } from "./cache.ts";
import { NetworkList } from "./network-list.ts";
import { Runtime } from "./runtime.ts";

/** One call that a fake plugin got. */
interface FakeCall {
  readonly what: string;
  readonly environment: Environment;
  // biome-ignore lint/suspicious/noExplicitAny: requests are inspected freely
  readonly request: any;
}

const ADDRESS = { address: "10.1.0.2/16" };

/**
 * Plugins that do nothing but note how they are called. On ADD each adds an interface of its own name to the previous result.
 * They run "in this process": their files lead to the very executable that runs the tests.
 */
class FakePlugins {
  readonly calls: FakeCall[] = [];
  /** Answers in the place of the usual one, by "ADD bridge". */
  readonly answers = new Map<string, Outcome>();

  fail(what: string, code = 100, msg = "no", details = ""): void {
    this.answers.set(what, {
      status: 1,
      stdout: JSON.stringify({ cniVersion: "1.1.0", code, msg, details }),
      stderr: "",
    });
  }

  print(what: string, stdout: string): void {
    this.answers.set(what, { status: 0, stdout, stderr: "" });
  }

  get order(): string[] {
    return this.calls.map((call) => call.what);
  }

  run(type: string, environment: Environment, stdin: string): Outcome {
    const verb = environment.get("CNI_COMMAND");
    const request = JSON.parse(stdin);
    this.calls.push({ what: `${verb} ${type}`, environment, request });
    return this.answers.get(`${verb} ${type}`) ?? { status: 0, stdout: this.answer(verb, type, request), stderr: "" };
  }

  private answer(verb: string, type: string, request: FakeCall["request"]): string {
    if (verb === "VERSION") return '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0","1.1.0"]}';
    if (verb !== "ADD") return "";
    const before = request.prevResult?.interfaces ?? [];
    return JSON.stringify({ cniVersion: request.cniVersion, interfaces: [...before, { name: type }], ips: [ADDRESS] });
  }
}

let directory = "";
let plugins = new FakePlugins();
let cache = new AttachmentCache();
let warnings: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "libcni-"));
  mkdirSync(join(directory, "bin"));
  for (const type of ["first", "second", "third"]) symlinkSync(process.execPath, join(directory, "bin", type));
  plugins = new FakePlugins();
  cache = new AttachmentCache(join(directory, "cache"));
  warnings = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

function runtime(): Runtime {
  const environment = new Environment([
    ["HOME", "/root"],
    ["CNI_COMMAND", "stale"],
    ["CNI_NETNS_OVERRIDE", "1"],
  ]);
  return new Runtime(
    environment,
    join(directory, "bin"),
    cache,
    (type: string, inner: Environment, stdin: string): Outcome => plugins.run(type, inner, stdin),
    (line: string): void => {
      warnings.push(line);
    },
  );
}

function listOf(members: object = {}, ...types: (string | object)[]): NetworkList {
  const objects = (types.length === 0 ? ["first", "second", "third"] : types).map((type) =>
    typeof type === "string" ? { type } : type,
  );
  return NetworkList.parse(JSON.stringify({ cniVersion: "1.1.0", name: "net", plugins: objects, ...members }));
}

const container: Attachment = {
  containerId: "c1",
  ifName: "eth0",
  netns: "/run/netns/a",
  args: [
    ["K", "V"],
    ["L", "W"],
  ],
  capabilityArgs: noCapabilityArgs(),
};
const recordPath = (): string => join(directory, "cache/results/net-c1-eth0");

function failure(run: () => unknown): CniError {
  try {
    run();
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
  throw new Error("it succeeded");
}

function namesOf(result: { readonly interfaces: readonly { readonly name: string }[] }): string[] {
  return result.interfaces.map((each) => each.name);
}

describe("ADD", () => {
  test("runs the plugins in order, each with the result of the one before, and returns the last result", () => {
    const result = JSON.parse(runtime().addNetworkList(listOf(), container));
    expect(plugins.order).toEqual(["ADD first", "ADD second", "ADD third"]);
    expect(plugins.calls[0]?.request).not.toHaveProperty("prevResult");
    expect(namesOf(plugins.calls[2]?.request.prevResult)).toEqual(["first", "second"]);
    expect(namesOf(result)).toEqual(["first", "second", "third"]);
    expect(result.cniVersion).toBe("1.1.0");
  });

  test("gives the plugins the runtime's environment with the six variables replaced", () => {
    runtime().addNetworkList(listOf(), container);
    expect(plugins.calls[0]?.environment.toStrings().toSorted()).toEqual([
      "CNI_ARGS=K=V;L=W",
      "CNI_COMMAND=ADD",
      "CNI_CONTAINERID=c1",
      "CNI_IFNAME=eth0",
      "CNI_NETNS=/run/netns/a",
      "CNI_NETNS_OVERRIDE=1",
      `CNI_PATH=${join(directory, "bin")}`,
      "HOME=/root",
    ]);
  });

  test("gives a plugin the data of the capabilities it declares", () => {
    const list = listOf({}, { type: "first", capabilities: { mac: true } }, "second");
    const capabilityArgs = parseObject('{"mac":"x","ips":[]}', "data");
    runtime().addNetworkList(list, { ...container, capabilityArgs });
    expect(plugins.calls.map((call) => call.request.runtimeConfig)).toEqual([{ mac: "x" }, undefined]);
  });

  test("keeps what it did for CHECK and DEL", () => {
    const list = listOf();
    const result = runtime().addNetworkList(list, container);
    expect(cache.read("net", container)).toMatchObject({
      netns: "/run/netns/a",
      args: container.args,
      config: list.text,
      result,
    });
  });

  test("of several interfaces of one container keeps a record each", () => {
    for (const ifName of ["eth0", "net1"]) runtime().addNetworkList(listOf(), { ...container, ifName });
    expect(readdirSync(join(directory, "cache/results"))).toEqual(["net-c1-eth0", "net-c1-net1"]);
  });

  test("converts the result of a plugin that answers in another version", () => {
    plugins.print("ADD first", '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.1.0.2/16"}]}');
    runtime().addNetworkList(listOf(), container);
    expect(plugins.calls[1]?.request.prevResult).toEqual({ cniVersion: "1.1.0", ips: [ADDRESS] });
  });

  test("that fails takes back everything, newest first, with the last result there was", () => {
    plugins.fail("ADD second", 7, "bad", "do better");
    const error = failure(() => runtime().addNetworkList(listOf(), container));
    expect(error).toMatchObject({ code: 7, message: 'plugin type="second" failed (add): bad', details: "do better" });
    expect(plugins.order).toEqual(["ADD first", "ADD second", "DEL third", "DEL second", "DEL first"]);
    expect(namesOf(plugins.calls[4]?.request.prevResult)).toEqual(["first"]);
    expect(existsSync(recordPath())).toBe(false);
  });

  test("that fails goes on past what cannot be taken back, and tells it", () => {
    plugins.fail("ADD third", 7, "bad");
    plugins.fail("DEL second", 5, "stuck");
    const error = failure(() => runtime().addNetworkList(listOf(), container));
    expect(error.details).toBe('not taken back: plugin type="second" failed (delete): stuck');
    expect(plugins.order.slice(3)).toEqual(["DEL third", "DEL second", "DEL first"]);
  });

  test("for what is attached already and fails leaves the living attachment alone", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.fail("ADD first", 101, "eth0 exists");
    plugins.calls.length = 0;
    const error = failure(() => runtime().addNetworkList(listOf(), container));
    expect(error.details).toMatch(/was there before and nothing was removed/);
    expect(plugins.order).toEqual(["ADD first"]);
    expect(existsSync(recordPath())).toBe(true);
  });

  test("whose result cannot be kept is taken back", () => {
    mkdirSync(join(directory, "cache"));
    writeFileSync(join(directory, "cache/results"), "no directory");
    const error = failure(() => runtime().addNetworkList(listOf(), container));
    expect(error.message).toMatch(/^failed to set network "net" cached result: /);
    expect(plugins.order.slice(3)).toEqual(["DEL third", "DEL second", "DEL first"]);
  });

  test("runs nothing when a plugin is missing", () => {
    const error = failure(() => runtime().addNetworkList(listOf({}, "first", "absent"), container));
    expect(error.message).toMatch(/^plugin type="absent" failed \(add\): failed to find plugin "absent" in path \[/);
    expect(plugins.order).toEqual([]);
  });

  test("names the plugin's network where its object does", () => {
    plugins.fail("ADD first");
    const error = failure(() =>
      runtime().addNetworkList(NetworkList.parseSingle('{"name":"n","type":"first"}'), container),
    );
    expect(error.message).toBe('plugin type="first" name="n" failed (add): no');
  });

  test.each([
    ["", /not JSON/],
    ["log line\n{}", /not JSON/],
    ['{"ips":7}', /cannot decode its result\.ips/],
  ])("takes back what printed %j for a result", (printed, message) => {
    plugins.print("ADD first", printed);
    expect(failure(() => runtime().addNetworkList(listOf(), container)).message).toMatch(message);
    expect(plugins.order.slice(1)).toEqual(["DEL third", "DEL second", "DEL first"]);
  });
});

describe("names", () => {
  const rows: readonly (readonly [id: object, code: number, message: RegExp])[] = [
    [{ containerId: "" }, 3, /missing containerID/],
    [{ containerId: "../x" }, 4, /invalid characters in containerID/],
    [{ ifName: "" }, 4, /interface name is empty/],
    [{ ifName: "sixteen-bytes-xx" }, 4, /too long/],
    [{ ifName: "a/b" }, 4, /contains \/ or :/],
  ];
  test.each(rows)("%j are refused before any plugin runs", (id, code, message) => {
    const attachment = { ...container, ...id };
    for (const run of [
      () => runtime().addNetworkList(listOf(), attachment),
      () => runtime().delNetworkList(listOf(), attachment),
      () => runtime().checkNetworkList(listOf(), attachment),
    ]) {
      const error = failure(run);
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
    }
    expect(plugins.order).toEqual([]);
  });

  test("of networks are refused as well", () => {
    expect(failure(() => runtime().addNetworkList(listOf({ name: "a/b" }), container)).code).toBe(7);
    expect(failure(() => runtime().gcNetworkList(listOf({ name: "a/b" }), [])).code).toBe(7);
  });
});

describe("DEL", () => {
  test("runs the plugins in reverse order with the final result, and forgets", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.calls.length = 0;
    runtime().delNetworkList(listOf(), container);
    expect(plugins.order).toEqual(["DEL third", "DEL second", "DEL first"]);
    for (const call of plugins.calls) expect(namesOf(call.request.prevResult)).toEqual(["first", "second", "third"]);
    expect(existsSync(recordPath())).toBe(false);
  });

  test("succeeds without a record, without a prevResult", () => {
    runtime().delNetworkList(listOf(), container);
    expect(plugins.order).toHaveLength(3);
    expect(plugins.calls[0]?.request).not.toHaveProperty("prevResult");
    expect(warnings).toEqual([]);
  });

  test("gives no prevResult where the version knows none", () => {
    runtime().addNetworkList(listOf({ cniVersion: "0.3.1" }), container);
    plugins.calls.length = 0;
    runtime().delNetworkList(listOf({ cniVersion: "0.3.1" }), container);
    expect(plugins.calls[0]?.request).not.toHaveProperty("prevResult");
  });

  test("gives the cached result in the version of the list", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.calls.length = 0;
    runtime().delNetworkList(listOf({ cniVersion: "0.4.0" }), container);
    expect(plugins.calls[0]?.request.prevResult).toMatchObject({ cniVersion: "0.4.0", ips: [{ version: "4" }] });
  });

  test("stops at the first failure and keeps the record for the next try", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.calls.length = 0;
    plugins.fail("DEL second", 5, "stuck");
    const error = failure(() => runtime().delNetworkList(listOf(), container));
    expect(error).toMatchObject({ code: 5, message: 'plugin type="second" failed (delete): stuck' });
    expect(plugins.order).toEqual(["DEL third", "DEL second"]);
    expect(existsSync(recordPath())).toBe(true);
  });

  test.each(["", "{", '{"kind":"cniCacheV1","result":{"cniVersion":"9.9.9"}}'])(
    "does without a record of %j",
    (content) => {
      mkdirSync(join(directory, "cache/results"), { recursive: true });
      writeFileSync(recordPath(), content);
      runtime().delNetworkList(listOf(), container);
      expect(plugins.order).toHaveLength(3);
      expect(readdirSync(join(directory, "cache/results"))).toEqual([".net-c1-eth0.corrupt"]);
      expect(warnings.join()).toMatch(/net is of no use, which is now .*\.net-c1-eth0\.corrupt: /);
    },
  );

  test("reads what older libraries have written", () => {
    mkdirSync(join(directory, "cache/results"), { recursive: true });
    writeFileSync(recordPath(), '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.1.0.2/16"}]}');
    runtime().delNetworkList(listOf(), container);
    expect(plugins.calls[0]?.request.prevResult).toMatchObject({ cniVersion: "1.1.0", ips: [ADDRESS] });
  });
});

describe("CHECK", () => {
  test("runs the plugins in order, each with the final result", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.calls.length = 0;
    runtime().checkNetworkList(listOf(), container);
    expect(plugins.order).toEqual(["CHECK first", "CHECK second", "CHECK third"]);
    for (const call of plugins.calls) expect(namesOf(call.request.prevResult)).toEqual(["first", "second", "third"]);
  });

  test("passes the first failure on as it is", () => {
    plugins.fail("CHECK second", 102, "drifted", "fix");
    const error = failure(() => runtime().checkNetworkList(listOf(), container));
    expect(error).toMatchObject({ code: 102, message: "drifted", details: "fix" });
    expect(plugins.order).toEqual(["CHECK first", "CHECK second"]);
  });

  test("runs nothing where it is disabled", () => {
    runtime().checkNetworkList(listOf({ disableCheck: true }), container);
    expect(plugins.order).toEqual([]);
  });

  test("is refused for versions that do not know it", () => {
    expect(failure(() => runtime().checkNetworkList(listOf({ cniVersion: "0.3.1" }), container)).message).toBe(
      'configuration version "0.3.1" does not support the CHECK command',
    );
  });

  test("fails on a damaged record", () => {
    mkdirSync(join(directory, "cache/results"), { recursive: true });
    writeFileSync(recordPath(), "");
    expect(failure(() => runtime().checkNetworkList(listOf(), container)).message).toMatch(
      /^failed to get network "net" cached result: /,
    );
    expect(plugins.order).toEqual([]);
  });
});

describe("GC", () => {
  const alive = { containerId: "alive", ifName: "eth0" };

  test("deletes the recorded attachments that are not alive, with what they were made with, then asks the plugins", () => {
    const list = listOf({}, { type: "first", capabilities: { mac: true } });
    runtime().addNetworkList(list, { ...container, capabilityArgs: parseObject('{"mac":"x"}', "data") });
    runtime().addNetworkList(list, { ...container, ...alive });
    runtime().addNetworkList(listOf({ name: "other" }, "first"), container);
    plugins.calls.length = 0;
    runtime().gcNetworkList(list, [alive]);
    expect(plugins.order).toEqual(["DEL first", "GC first"]);
    const [del, gc] = plugins.calls;
    expect(del?.environment.get("CNI_CONTAINERID")).toBe("c1");
    expect(del?.environment.get("CNI_NETNS")).toBe("/run/netns/a");
    expect(del?.environment.get("CNI_ARGS")).toBe("K=V;L=W");
    expect(del?.request.runtimeConfig).toEqual({ mac: "x" });
    expect(gc?.request["cni.dev/valid-attachments"]).toEqual([{ containerID: "alive", ifname: "eth0" }]);
    expect(gc?.environment.toStrings()).toContain("CNI_CONTAINERID=");
    expect(readdirSync(join(directory, "cache/results"))).toEqual(["net-alive-eth0", "other-c1-eth0"]);
  });

  test("goes on past failures and reports all", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.fail("DEL third", 5, "stuck");
    plugins.fail("GC first", 100, "no", "later");
    const error = failure(() => runtime().gcNetworkList(listOf(), []));
    expect(error.message.split("\n")).toEqual([
      'failed to delete stale attachment c1 eth0: plugin type="third" failed (delete): stuck',
      "failed to GC plugin first: no; later",
    ]);
    expect(error.code).toBe(5);
    expect(plugins.order.slice(-3)).toEqual(["GC first", "GC second", "GC third"]);
  });

  test("asks no plugin in versions that do not know it, and still deletes", () => {
    const list = listOf({ cniVersion: "1.0.0" }, "first");
    runtime().addNetworkList(list, container);
    plugins.calls.length = 0;
    runtime().gcNetworkList(list, []);
    expect(plugins.order).toEqual(["DEL first"]);
  });

  test("does nothing where it is disabled", () => {
    runtime().addNetworkList(listOf(), container);
    plugins.calls.length = 0;
    runtime().gcNetworkList(listOf({ disableGC: "true" }), []);
    expect(plugins.order).toEqual([]);
  });
});

describe("STATUS", () => {
  test("asks the plugins in order, and passes the first refusal on as it is", () => {
    plugins.fail("STATUS second", 50, "not yet", "wait");
    const error = failure(() => runtime().statusNetworkList(listOf()));
    expect(error).toMatchObject({ code: 50, message: "not yet", details: "wait" });
    expect(plugins.order).toEqual(["STATUS first", "STATUS second"]);
    expect(plugins.calls[0]?.request).toEqual({ type: "first", cniVersion: "1.1.0", name: "net" });
  });

  test("succeeds in versions that do not know it", () => {
    runtime().statusNetworkList(listOf({ cniVersion: "1.0.0" }));
    expect(plugins.order).toEqual([]);
  });
});

describe("validation", () => {
  test("tells each plugin's versions and the capabilities of all", () => {
    const capabilities = { mac: true, ips: false };
    const list = listOf(
      {},
      { type: "first", capabilities },
      { type: "second", capabilities: { mac: true, dns: true } },
    );
    expect(runtime().validateNetworkList(list)).toEqual({
      plugins: [
        { type: "first", versions: ["0.4.0", "1.0.0", "1.1.0"] },
        { type: "second", versions: ["0.4.0", "1.0.0", "1.1.0"] },
      ],
      capabilities: ["mac", "dns"],
    });
    expect(plugins.calls[0]?.request).toEqual({ cniVersion: "1.1.0" });
  });

  test("lists everything that is wrong", () => {
    plugins.print("VERSION second", "hello");
    const list = listOf({ cniVersion: "0.3.1" }, "first", "second", "absent");
    const error = failure(() => runtime().validateNetworkList(list));
    expect(error.message).toMatch(/plugin first does not support config version "0.3.1"/);
    expect(error.message).toMatch(/what plugin second answers to VERSION: it is not JSON/);
    expect(error.message).toMatch(/failed to find plugin "absent"/);
  });

  test("takes a plugin that does not know VERSION for one of 0.1.0", () => {
    plugins.fail("VERSION first", 4, "unknown CNI_COMMAND: VERSION");
    expect(runtime().versionsOf("first")).toEqual(["0.1.0"]);
  });

  test.each([
    ['{"cniVersion":"0.2.0"}', ["0.1.0", "0.2.0"]],
    ['{"cniVersion":"0.2.0","supportedVersions":[]}', ["0.1.0", "0.2.0"]],
    ['{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}', ["1.0.0"]],
  ])("understands %s", (printed, versions) => {
    plugins.print("VERSION first", printed);
    expect(runtime().versionsOf("first")).toEqual(versions);
  });

  test.each(['{"supportedVersions":["1.0.0"]}', '{"cniVersion":"1.0.0"}', "[]"])("refuses %s", (printed) => {
    plugins.print("VERSION first", printed);
    expect(() => runtime().versionsOf("first")).toThrow(/cannot decode what plugin first answers/);
  });
});
