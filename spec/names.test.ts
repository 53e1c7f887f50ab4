import { expect, test } from "vitest";
import { interfaceNameProblem, isIdentifier, pluginTypeProblem } from "./names.ts";

test.each(["a", "7", "abc-DEF_1.2", "a".repeat(300)])("%j may name a container or a network", (text) => {
  expect(isIdentifier(text)).toBe(true);
});

test.each(["", "-a", ".a", "_a", "a/b", "a b", "a\n", "ä", "a:b"])(
  "%j may not name a container or a network",
  (text) => {
    expect(isIdentifier(text)).toBe(false);
  },
);

test.each(["e", "eth0", "a".repeat(15), "...", "veth-1.2_3", "ä".repeat(7)])("%j may name an interface", (name) => {
  expect(interfaceNameProblem(name)).toBeUndefined();
});

test.each([
  ["", "interface name is empty"],
  ["a".repeat(16), "interface name is too long"],
  ["ä".repeat(8), "interface name is too long"],
  [".", "interface name is . or .."],
  ["..", "interface name is . or .."],
  ["a/b", "interface name contains / or : or whitespace characters"],
  ["a:b", "interface name contains / or : or whitespace characters"],
  ["a b", "interface name contains / or : or whitespace characters"],
  ["br%d", "interface name contains %, which the kernel takes for a template"],
  ["a\tb", "interface name contains / or : or whitespace characters"],
  ["a\u00a0b", "interface name contains / or : or whitespace characters"],
  ["a\u0085b", "interface name contains / or : or whitespace characters"],
  ["a\u2003b", "interface name contains / or : or whitespace characters"],
])("%j may not name an interface: %s", (name, problem) => {
  expect(interfaceNameProblem(name)).toBe(problem);
});

test.each([
  ["bridge", undefined],
  ["my.plugin-2", undefined],
  ["", "no plugin name provided"],
  ["../bridge", "invalid plugin name: ../bridge"],
  ["/bin/sh", "invalid plugin name: /bin/sh"],
  ["..", "invalid plugin name: .."],
  [".", "invalid plugin name: ."],
])("plugin type %j: %s", (type, problem) => {
  expect(pluginTypeProblem(type)).toBe(problem);
});
