import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSynced, replaceFile, replaceUnsynced } from "./replace-file.ts";

const directory = mkdtempSync(join(tmpdir(), "replace-file-"));

test("a file gets its content and its mode, and nothing else stays", () => {
  const path = join(directory, "state");
  replaceFile(path, "one, longer", 0o600);
  replaceFile(path, "zwö", 0o600);
  expect(readFileSync(path, "utf8")).toBe("zwö");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["state"]);
});

test("what a crash left half written is overwritten", () => {
  writeFileSync(join(directory, ".state.new"), "half, and far longer than what comes");
  replaceFile(join(directory, "state"), "whole", 0o600);
  expect(readFileSync(join(directory, "state"), "utf8")).toBe("whole");
});

test("a failure leaves nothing beside", () => {
  mkdirSync(join(directory, "taken/inside"), { recursive: true });
  expect(() => replaceFile(join(directory, "taken"), "text", 0o600)).toThrow();
  expect(readdirSync(directory).toSorted()).toEqual(["state", "taken"]);
});

test("the way can be a file elsewhere, which is gone whether it worked or not", () => {
  const fresh = join(directory, "next");
  writeFileSync(fresh, "half, and far longer than what comes");
  replaceUnsynced(join(directory, "state"), "again", 0o600, fresh);
  expect(readFileSync(join(directory, "state"), "utf8")).toBe("again");
  expect(() => replaceUnsynced(join(directory, "taken"), "text", 0o600, fresh)).toThrow();
  expect(readdirSync(directory).toSorted()).toEqual(["state", "taken"]);
});

test("a new file is made only where there is none", () => {
  const path = join(directory, "fresh");
  createSynced(path, "first", 0o600);
  expect(() => createSynced(path, "second", 0o600)).toThrow(/EEXIST/);
  expect(readFileSync(path, "utf8")).toBe("first");
});
