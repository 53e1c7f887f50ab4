import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AttachmentCache } from "../../libcni/cache.ts";
import type { Outcome } from "../../pkg/invoke/outcome.ts";
import { Environment } from "../../spec/environment.ts";
import { absolutePath, cnitool, containerIdOf } from "./cnitool.ts";
import { readCommandLine, UsageError } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "cnitool-"));
writeFileSync(join(directory, "net.conflist"), '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"p"}]}');

function run(words: string, variables: Record<string, string> = {}): Outcome {
  return cnitool(words === "" ? [] : words.split(" "), {
    environment: new Environment(Object.entries({ NETCONFPATH: directory, CNI_PATH: directory, ...variables })),
    workingDirectory: (): string => "/srv",
    runInProcess: (): Outcome | undefined => undefined,
    warn: (): void => {},
    cache: new AttachmentCache(directory),
  });
}

describe("the command line", () => {
  test("is a command, a network and a namespace, and may name the interface", () => {
    const line = { command: "add", network: "net", netns: "/run/netns/a", ifName: "" };
    expect(readCommandLine(["add", "net", "/run/netns/a"])).toEqual(line);
    for (const words of [["-i", "net1"], ["--ifname", "net1"], ["--ifname=net1"]]) {
      expect(readCommandLine(["add", ...words, "net", "/run/netns/a"])).toEqual({ ...line, ifName: "net1" });
    }
  });

  test("needs no namespace where none is entered, and takes one", () => {
    for (const command of ["gc", "status", "validate", "version"]) {
      expect(readCommandLine([command, "net"])).toMatchObject({ command, netns: "" });
      expect(readCommandLine([command, "net", "/x"])).toMatchObject({ command, netns: "/x" });
    }
  });

  test.each([
    "",
    "add",
    "add net",
    "check net",
    "del net",
    "gc",
    "frob net /x",
    "add net /x y",
    "add --no net /x",
    "add -i",
  ])("%j is refused with the usage on stderr", (words) => {
    const outcome = run(words);
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/^cnitool: .*\n\ncnitool: [\s\S]*Usage:/);
  });

  test.each(["-h", "--help", "add --help", "help"])("%j prints the usage", (words) => {
    expect(run(words)).toMatchObject({ status: 0, stderr: "" });
    expect(run(words).stdout).toMatch(/Usage:/);
  });

  test("an unknown command is named", () => {
    expect(() => readCommandLine(["frob", "net", "/x"])).toThrow(UsageError);
    expect(() => readCommandLine(["frob", "net", "/x"])).toThrow('unknown command "frob"');
  });
});

describe("failures", () => {
  const rows: readonly (readonly [words: string, variables: Record<string, string>, stderr: RegExp])[] = [
    ["add none /x", {}, /^no net configuration with name "none" in .*; it has net\n$/],
    ["add net /x", { NETCONFPATH: "/nowhere" }, /^no net configurations found in \/nowhere; /],
    ["add net /x", {}, /^plugin type="p" failed \(add\): failed to find plugin "p" in path \[.*\]; install it .*\n$/],
    ["add net /x", { CNI_IFNAME: "a/b" }, /^interface name contains \/ or : or whitespace characters; /],
    ["add net /x", { CAP_ARGS: "{" }, /^cannot decode CAP_ARGS: /],
    ["add net /x", { CNI_ARGS: "A=1;B" }, /^invalid CNI_ARGS pair "B"; /],
    ["add net /x", { CNI_ARGS: "A=" }, /^invalid CNI_ARGS pair "A="; /],
    ["add net /x", { CNI_ARGS: "A=1=2" }, /^invalid CNI_ARGS pair "A=1=2"; /],
    ["validate net", {}, /^failed to find plugin "p"/],
  ];
  test.each(rows)("%s with %j say what is wrong on stderr", (words, variables, stderr) => {
    const outcome = run(words, variables);
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toMatch(stderr);
  });
});

test("the container ID is made of the namespace's path, as other cnitools make it", () => {
  const path = "/run/netns/blue";
  expect(containerIdOf(path)).toBe(`cnitool-${createHash("sha512").update(path).digest("hex").slice(0, 20)}`);
});

test.each([
  ["/run/netns/a", "/run/netns/a"],
  ["netns/a", "/srv/netns/a"],
  ["./a", "/srv/a"],
  ["../../../a", "/a"],
  ["/run//netns/./x/../a/", "/run/netns/a"],
])("%j becomes %j", (path, absolute) => {
  expect(absolutePath(path, "/srv")).toBe(absolute);
});
