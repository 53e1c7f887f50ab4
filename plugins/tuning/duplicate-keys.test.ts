import fc from "fast-check";
import { expect, test } from "vitest";
import { duplicateKey } from "./duplicate-keys.ts";

test.each([
  ['{"sysctl":{"a":"1","a":"2"}}', ["sysctl"], "a"],
  ['{"x":[{"a":1,"a":2}],"sysctl":{"b":"1","a":"{\\"b\\":1}","b":"2"}}', ["sysctl"], "b"],
  ['{ "SysCtl" : { "a" : "1" , "\\u0061" : "2" } }', ["sysctl"], "a"],
  ['{"args":{"cni":{"sysctl":{"a":"1","a":"2"}}}}', ["args", "cni", "sysctl"], "a"],
])("%s has a key twice", (text, path, key) => {
  expect(duplicateKey(text, path)).toBe(key);
});

test.each([
  ['{"sysctl":{"a":"1","b":"2"},"other":{"a":1,"a":2}}', ["sysctl"]],
  ['{"sysctl":{"a":"1","A":"2"}}', ["sysctl"]],
  ['{"sysctl":null,"a":1,"a":2}', ["sysctl"]],
  ['{"sysctl":["a","a"]}', ["sysctl"]],
  ["{}", ["sysctl"]],
  ["null", ["sysctl"]],
  ['{"args":{"sysctl":{"a":"1","a":"2"}}}', ["args", "cni", "sysctl"]],
])("%s has none there", (text, path) => {
  expect(duplicateKey(text, path)).toBeUndefined();
});

test("no document with each key once has one, however it is nested and quoted", () => {
  fc.assert(
    fc.property(fc.json(), fc.dictionary(fc.string(), fc.json()), (other, sysctl) => {
      expect(
        duplicateKey(JSON.stringify({ a: JSON.parse(other), sysctl, b: other }, null, 1), ["sysctl"]),
      ).toBeUndefined();
    }),
  );
});
