import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseObject } from "../spec/json.ts";
import { type Attachment, noCapabilityArgs } from "./attachment.ts";
import { AttachmentCache } from "./cache.ts";
import { NetworkList } from "./network-list.ts";

let directory = "";
let cache = new AttachmentCache();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cache-"));
  cache = new AttachmentCache(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

const list = NetworkList.parse('{"name":"net","plugins":[{"type":"brücke"}]}');
const id = { containerId: "c1", ifName: "eth0" };
const full: Attachment = {
  ...id,
  netns: "/run/netns/a",
  args: [
    ["K", "V"],
    ["L", "W"],
  ],
  capabilityArgs: parseObject('{"mac":"x"}', "data"),
};
const bare: Attachment = { ...id, netns: "", args: [], capabilityArgs: noCapabilityArgs() };

function place(name: string, content: string): void {
  mkdirSync(join(directory, "results"), { recursive: true });
  writeFileSync(join(directory, "results", name), content);
}

describe("a record", () => {
  test("is in the reference's format, for root alone", () => {
    cache.write(list, full, '{"cniVersion":"1.0.0"}');
    const path = join(directory, "results/net-c1-eth0");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      kind: "cniCacheV1",
      containerId: "c1",
      config: Buffer.from(list.text).toString("base64"),
      ifName: "eth0",
      networkName: "net",
      netns: "/run/netns/a",
      cniArgs: [
        ["K", "V"],
        ["L", "W"],
      ],
      capabilityArgs: { mac: "x" },
      result: { cniVersion: "1.0.0" },
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, "results")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, "results"))).toEqual(["net-c1-eth0"]);
  });

  test("leaves out what there is none of", () => {
    cache.write(list, bare, "{}");
    const record = JSON.parse(readFileSync(join(directory, "results/net-c1-eth0"), "utf8"));
    expect(Object.keys(record).toSorted()).toEqual([
      "config",
      "containerId",
      "ifName",
      "kind",
      "networkName",
      "result",
    ]);
  });

  test("is read as it was written", () => {
    cache.write(list, full, '{"cniVersion":"1.0.0"}');
    const record = cache.read("net", id);
    expect(record).toMatchObject({ ...id, network: "net", netns: full.netns, args: full.args, config: list.text });
    expect(record?.result).toBe('{"cniVersion":"1.0.0"}');
    expect(record?.capabilityArgs.get("mac")).toBe("x");
  });

  test("is gone when removed, and removing again is no error", () => {
    cache.write(list, full, "{}");
    expect(cache.has("net", id)).toBe(true);
    cache.remove("net", id);
    cache.remove("net", id);
    expect(cache.has("net", id)).toBe(false);
    expect(cache.read("net", id)).toBeUndefined();
  });

  test("of old libraries is the result itself", () => {
    place("net-c1-eth0", '{"cniVersion":"0.3.1","ips":[]}');
    expect(cache.read("net", id)).toMatchObject({ ...id, config: "", result: '{"cniVersion":"0.3.1","ips":[]}' });
  });

  test.each(["", "{", "[]", "\0\0\0"])("of the content %j is damaged: an error, and it can be set aside", (content) => {
    place("net-c1-eth0", content);
    expect(() => cache.read("net", id)).toThrow(/results\/net-c1-eth0/);
    expect(cache.setAside("net", id)).toBe(join(directory, "results/.net-c1-eth0.corrupt"));
    expect(cache.read("net", id)).toBeUndefined();
    expect(cache.list()).toEqual([]);
  });

  test("needs a network, a container and an interface", () => {
    expect(() => cache.read("net", { containerId: "", ifName: "eth0" })).toThrow(
      'cache file path requires network name ("net"), container ID (""), and interface name ("eth0")',
    );
  });
});

describe("the list of records", () => {
  test("is empty without a directory", () => {
    expect(cache.list()).toEqual([]);
  });

  test("has one for each interface of a container, sorted", () => {
    for (const ifName of ["net1", "eth0"]) cache.write(list, { ...full, ifName }, "{}");
    cache.write(list, { ...bare, containerId: "a" }, "{}");
    expect(cache.list().map(({ containerId, ifName }) => `${containerId}/${ifName}`)).toEqual([
      "a/eth0",
      "c1/eth0",
      "c1/net1",
    ]);
  });

  test("passes over what is damaged, foreign, old or a copy", () => {
    cache.write(list, full, "{}");
    const record = readFileSync(join(directory, "results/net-c1-eth0"), "utf8");
    place("net-c2-eth0", "");
    place("net-c3-eth0", '{"cniVersion":"0.3.1"}');
    place("net-c1-eth0.bak", record);
    place("README", "hello");
    mkdirSync(join(directory, "results/net-c4-eth0"));
    expect(cache.list().map((each) => each.containerId)).toEqual(["c1"]);
  });
});
