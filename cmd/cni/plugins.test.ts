import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pluginNames } from "./names.ts";
import { findOwnPlugin } from "./plugins.ts";
import { version } from "./version.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders = [...readdirSync(`${root}plugins`), ...readdirSync(`${root}ipam`)].toSorted();

test("the version that plugins say is package.json's", () => {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { readonly version: string };
  expect(version, "change cmd/cni/version.ts and package.json together").toBe(manifest.version);
});

test("the names are sorted, each once", () => {
  expect(pluginNames).toEqual([...new Set(pluginNames)].toSorted());
});

test("every plugin's folder is a name that the executable answers to", () => {
  expect(pluginNames, "add it to cmd/cni/names.ts").toEqual(folders);
});

test.each(pluginNames)("%s is in the table under its own name", (name) => {
  expect(findOwnPlugin(name)?.type, `add ${name} to cmd/cni/plugins.ts`).toBe(name);
});

test("other names are nobody's", () => {
  expect(["", "Bridge", "cnitool", "nope"].map((name) => findOwnPlugin(name))).toEqual(Array(4).fill(undefined));
});
