import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CniError } from "../spec/errors.ts";
import { loadNetworkList } from "./config-directory.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "net.d-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(files: Record<string, object | string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

function types(network: string): string[] {
  return loadNetworkList(directory, network).plugins.map((plugin) => plugin.type);
}

function refusal(network: string): string {
  try {
    loadNetworkList(directory, network);
  } catch (error) {
    if (error instanceof CniError) return `${error.message}; ${error.details}`;
    throw error;
  }
  throw new Error("it was found");
}

const list = (name: string, ...names: string[]): object => ({ name, plugins: names.map((type) => ({ type })) });

test("the first list of the name wins, by file name", () => {
  write({
    "20-b.conflist": list("net", "second"),
    "10-a.conflist": list("net", "first"),
    "30.conflist": list("x", "y"),
  });
  expect(types("net")).toEqual(["first"]);
});

test("lists come before files of a single plugin, .conf and .json are sorted together", () => {
  write({
    "1.json": { name: "single", type: "json" },
    "2.conf": { name: "single", type: "conf" },
    "0.conf": { name: "net", type: "single" },
    "9.conflist": list("net", "list"),
  });
  expect(types("net")).toEqual(["list"]);
  expect(types("single")).toEqual(["json"]);
});

test("other files, and directories with a fitting name, are passed over", () => {
  write({
    "a.conflist.bak": "{",
    conflist: "{",
    "b.CONFLIST": "{",
    "sub.conflist/x.conflist": "{",
    "c.conflist": list("net", "p"),
  });
  expect(types("net")).toEqual(["p"]);
});

test("a file that is a symbolic link counts, as Kubernetes mounts them", () => {
  write({ "..data/net.conflist": list("net", "p") });
  symlinkSync("..data/net.conflist", join(directory, "net.conflist"));
  expect(types("net")).toEqual(["p"]);
});

test("a damaged list before the wanted one is an error that names the file", () => {
  write({ "1.conflist": '{"name":', "2.conflist": list("net", "p") });
  expect(refusal("net")).toMatch(/\/1\.conflist: cannot decode/);
});

test("a damaged list after the wanted one does no harm", () => {
  write({ "1.conflist": list("net", "p"), "2.conflist": '{"name":' });
  expect(types("net")).toEqual(["p"]);
});

test("no directory, an empty one and an unknown name are told apart", () => {
  expect(refusal("net")).toMatch(/^no net configurations found in /);
  expect(() => loadNetworkList(join(directory, "none"), "net")).toThrow("no net configurations found in ");
  write({ "1.conflist": list("one", "p"), "2.conf": { name: "two", type: "p" } });
  expect(refusal("net")).toMatch(/^no net configuration with name "net" in .*; it has one, two$/);
});

test("plugins in the directory of the network's name are appended, by file name", () => {
  write({
    "net.conflist": list("net", "inlined"),
    "net/20.conf": { type: "second" },
    "net/10.conf": { type: "first" },
    "net/30.json": { type: "not read" },
    "net/deeper/40.conf": { type: "not read" },
  });
  expect(types("net")).toEqual(["inlined", "first", "second"]);
});

test("plugins may come from that directory alone", () => {
  write({ "net.conflist": { name: "net" }, "net/1.conf": { type: "only" } });
  expect(types("net")).toEqual(["only"]);
});

test("with loadOnlyInlinedPlugins that directory is not read", () => {
  write({ "net.conflist": { ...list("net", "p"), loadOnlyInlinedPlugins: "true" }, "net/1.conf": "{" });
  expect(types("net")).toEqual(["p"]);
});

test("a list without any plugin is refused", () => {
  write({ "net.conflist": { name: "net" } });
  expect(refusal("net")).toMatch(/net\.conflist: no plugin configs found/);
});

test("a damaged file in that directory is named", () => {
  write({ "net.conflist": list("net", "p"), "net/1.conf": "{}" });
  expect(refusal("net")).toMatch(/net\/1\.conf: error parsing configuration: missing 'type'/);
});

test("a network's name does not lead out of the directory", () => {
  write({ "net.conflist": { name: "../outside" }, "outside/1.conf": { type: "p" } });
  expect(refusal("../outside")).toMatch(/no plugin configs found/);
});
