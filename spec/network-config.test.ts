import { expect, test } from "vitest";
import { NetworkConfig } from "./network-config.ts";

const read = (more: Record<string, unknown>): NetworkConfig =>
  new NetworkConfig(JSON.stringify({ name: "net", ...more }));

test("the text is kept byte for byte", () => {
  const text = ' { "name" : "net", "x": 1.0 }\n';
  expect(new NetworkConfig(text).text).toBe(text);
});

test("name and cniVersion are found in any case", () => {
  const config = new NetworkConfig('{"NAME":"net","CNIVersion":"1.0.0"}');
  expect([config.name, config.cniVersion]).toEqual(["net", "1.0.0"]);
});

test("cniVersion may be missing, null or empty", () => {
  for (const more of [{}, { cniVersion: null }, { cniVersion: "" }]) expect(read(more).cniVersion).toBe("");
});

test.each([
  ["{}", 7, "missing network name"],
  ["null", 7, "missing network name"],
  ['{"name":null}', 7, "missing network name"],
  ['{"name":""}', 7, "missing network name"],
  ['{"name":"a/b"}', 7, "invalid characters found in network name"],
  ['{"name":"-a"}', 7, "invalid characters found in network name"],
  ['{"name":1}', 6, "cannot decode name of the network configuration: expected a string, found a number"],
  [
    '{"name":"a","cniVersion":1}',
    6,
    "cannot decode cniVersion of the network configuration: expected a string, found a number",
  ],
  ["", 6, "cannot decode network configuration: it is empty"],
  ["[]", 6, "cannot decode network configuration: expected a JSON object, found a list"],
])("%s is refused with code %i", (text, code, message) => {
  expect(() => new NetworkConfig(text)).toThrow(expect.objectContaining({ code, message }));
});

const alive = [{ containerID: "c1", ifname: "eth0" }];

test.each([
  ["absent", {}, undefined],
  ["null", { "cni.dev/valid-attachments": null }, []],
  ["empty", { "cni.dev/valid-attachments": [] }, []],
  ["given", { "cni.dev/valid-attachments": alive }, alive],
  ["given by libcni's older name", { "cni.dev/attachments": alive }, alive],
  ["null by libcni's older name", { "cni.dev/attachments": null }, []],
  ["given by both", { "cni.dev/valid-attachments": alive, "cni.dev/attachments": [] }, alive],
  ["null, and given by the older name", { "cni.dev/valid-attachments": null, "cni.dev/attachments": alive }, alive],
])("valid attachments that are %s", (_, more, found) => {
  expect(read(more).validAttachments).toEqual(found);
});

test.each([
  [{}, "cni.dev/valid-attachments: expected a list, found an object"],
  [["c1"], "cni.dev/valid-attachments[0]: expected an object with containerID and ifname"],
  [[...alive, { containerID: "c1" }], "cni.dev/valid-attachments[1]: expected an object with containerID and ifname"],
  [
    [{ containerID: "", ifname: "eth0" }],
    "cni.dev/valid-attachments[0]: expected an object with containerID and ifname",
  ],
])("valid attachments %j are refused: GC would take something alive for stale", (value, message) => {
  expect(() => read({ "cni.dev/valid-attachments": value })).toThrow(expect.objectContaining({ code: 7, message }));
});

test.each(["cni.dev/valid-attachments", "CNI.dev/Attachments"])(
  "with more alive than %s says, the rest stays as it is",
  (name) => {
    const config = read({ ipam: { type: "static", x: null }, [name]: alive });
    expect(config.withAlive([])).toBe(config);
    const more = [{ containerID: "c2", ifname: "net1" }];
    expect(JSON.parse(config.withAlive(more).text)).toEqual({
      name: "net",
      ipam: { type: "static", x: null },
      "cni.dev/valid-attachments": [...alive, ...more],
    });
  },
);
