import { describe, expect, test } from "vitest";
import { JsonObject, parseObject } from "../spec/json.ts";
import { noCapabilityArgs } from "./attachment.ts";
import { NetworkList } from "./network-list.ts";
import type { PluginConfig } from "./plugin-config.ts";
import { attachmentRequest, gcRequest, statusRequest } from "./request.ts";

function given(plugin: object): { list: NetworkList; plugin: PluginConfig } {
  const list = NetworkList.parse(JSON.stringify({ cniVersion: "1.1.0", name: "net", plugins: [plugin] }));
  const first = list.plugins.at(0);
  if (first === undefined) throw new Error("no plugin");
  return { list, plugin: first };
}

function added(plugin: object, capabilityArgs: JsonObject = noCapabilityArgs(), prevResult = ""): unknown {
  const { list, plugin: config } = given(plugin);
  return JSON.parse(attachmentRequest(list, config, capabilityArgs, prevResult));
}

describe("a plugin's request", () => {
  test("has the list's name and version, whatever the plugin's object says, in whatever case", () => {
    const request = added({ type: "p", Name: "other", CNIVERSION: "0.1.0", cniversion: "0.2.0" });
    expect(request).toEqual({ type: "p", name: "net", cniVersion: "1.1.0" });
  });

  test("passes unknown keys on as they are, null, order and nesting included", () => {
    const { list, plugin } = given({ zebra: [1, { b: null, a: "ä<&" }], type: "p", nothing: null, "x.y/z": 1.5 });
    expect(attachmentRequest(list, plugin, noCapabilityArgs(), "")).toBe(
      '{"zebra":[1,{"b":null,"a":"ä<&"}],"type":"p","nothing":null,"x.y/z":1.5,"cniVersion":"1.1.0","name":"net"}',
    );
  });

  test("has the data of declared capabilities alone, and no declaration", () => {
    const data = parseObject('{"portMappings":[{"hostPort":1}],"mac":"x","ips":[],"Aliases":[]}', "data");
    const capabilities = { portMappings: true, mac: false, dns: true, ips: true, aliases: true };
    expect(added({ type: "p", capabilities }, data)).toEqual({
      type: "p",
      name: "net",
      cniVersion: "1.1.0",
      runtimeConfig: { portMappings: [{ hostPort: 1 }], ips: [] },
    });
  });

  test("has no runtimeConfig without data", () => {
    expect(added({ type: "p", capabilities: { mac: true } })).not.toHaveProperty("runtimeConfig");
  });

  test("has the previous result", () => {
    expect(added({ type: "p" }, noCapabilityArgs(), '{"ips":[]}')).toHaveProperty("prevResult", { ips: [] });
  });

  test("has both lists of what is alive on GC, the empty list too", () => {
    const { list, plugin } = given({ type: "p", capabilities: { mac: true } });
    const valid = [{ containerID: "c", ifname: "eth0" }];
    expect(JSON.parse(gcRequest(list, plugin, [{ containerId: "c", ifName: "eth0" }]))).toEqual({
      type: "p",
      name: "net",
      cniVersion: "1.1.0",
      "cni.dev/valid-attachments": valid,
      "cni.dev/attachments": valid,
    });
    expect(JSON.parse(gcRequest(list, plugin, []))).toHaveProperty(["cni.dev/valid-attachments"], []);
    expect(JSON.parse(statusRequest(list, plugin))).toEqual({ type: "p", name: "net", cniVersion: "1.1.0" });
  });
});

test("what is no object is no capability data", () => {
  expect(JsonObject.of([])).toBeUndefined();
  expect(noCapabilityArgs().keys()).toEqual([]);
});
