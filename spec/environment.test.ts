import { expect, test } from "vitest";
import { Environment, requireVariables, type Verb, verbNamed, verbs } from "./environment.ts";

const complete: readonly (readonly [string, string])[] = [
  ["CNI_COMMAND", "ADD"],
  ["CNI_CONTAINERID", "4f2a"],
  ["CNI_NETNS", "/run/netns/x"],
  ["CNI_IFNAME", "eth0"],
  ["CNI_PATH", "/opt/cni/bin"],
];

test.each<[Verb, string]>([
  ["ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"],
  ["CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"],
  ["DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"],
  ["GC", "CNI_PATH"],
  ["STATUS", "CNI_PATH"],
])("%s without any variable names all it needs: %s", (verb, names) => {
  expect(() => requireVariables(new Environment([["CNI_NETNS", ""]]), verb)).toThrow(
    expect.objectContaining({ code: 4, message: `required env variables [${names}] missing` }),
  );
});

test("VERSION needs no variable", () => {
  expect(() => requireVariables(new Environment([]), "VERSION")).not.toThrow();
});

test.each(verbs)("%s takes a complete environment", (verb) => {
  expect(() => requireVariables(new Environment(complete), verb)).not.toThrow();
});

test.each<[Verb, string, string, string]>([
  ["ADD", "CNI_CONTAINERID", "a/b", "invalid characters in containerID"],
  ["DEL", "CNI_CONTAINERID", "-", "invalid characters in containerID"],
  ["CHECK", "CNI_IFNAME", "interface-name-16", "interface name is too long"],
  ["ADD", "CNI_IFNAME", "a:b", "interface name contains / or : or whitespace characters"],
])("%s refuses %s=%j, whatever else is missing", (verb, name, value, message) => {
  const environment = new Environment(complete).with("CNI_PATH", "").with(name, value);
  expect(() => requireVariables(environment, verb)).toThrow(expect.objectContaining({ code: 4, message }));
});

test("GC does not look at a container's variables", () => {
  expect(() => requireVariables(new Environment(complete).with("CNI_CONTAINERID", "a/b"), "GC")).not.toThrow();
});

test("the verb is compared exactly", () => {
  expect(verbs.map((verb) => verbNamed(verb))).toEqual(verbs);
  expect(["", "add", "Add", "ADD ", "UPDATE"].map((text) => verbNamed(text))).toEqual(Array(5).fill(undefined));
});

test("of a variable given twice the last counts; with() leaves the original alone", () => {
  const before = new Environment([
    ["A", "1"],
    ["CNI_COMMAND", "ADD"],
    ["CNI_COMMAND", "CHECK"],
  ]);
  expect(before.with("CNI_COMMAND", "DEL").toStrings()).toEqual(["A=1", "CNI_COMMAND=DEL"]);
  expect(before.get("CNI_COMMAND")).toBe("CHECK");
  expect(before.get("NONE")).toBe("");
});
