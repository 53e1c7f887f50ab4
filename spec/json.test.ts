import { expect, test } from "vitest";
import { type JsonObject, kindOf, parseObject } from "./json.ts";

const read = (text: string): JsonObject => parseObject(text, "configuration");

test("names match without regard to case, an exact match first", () => {
  expect(read('{"ISGATEWAY":true}').get("isGateway")).toBe(true);
  expect(read('{"MTU":1,"mtu":2}').get("mtu")).toBe(2);
  expect(read('{"mtu":2,"MTU":1}').get("mtu")).toBe(2);
  expect(read('{"MTU":1,"Mtu":2}').get("mtu")).toBe(2);
  expect(read('{"MTU":1}').spellingOf("mtu")).toBe("MTU");
});

test("a name given twice: the last one wins", () => {
  expect(read('{"mtu":1,"mtu":2}').get("mtu")).toBe(2);
});

test("null is absent, and still there", () => {
  const object = read('{"mtu":null}');
  expect([object.get("mtu"), object.has("mtu"), object.has("ipam")]).toEqual([undefined, true, false]);
});

test("members are read as what they are wanted as; what is anything else is passed over", () => {
  const object = read('{"text":"a","number":1,"flag":false,"list":["a",1,{"b":2},null],"none":null}');
  expect([object.text("text"), object.number("number"), object.flag("flag")]).toEqual(["a", 1, false]);
  expect([object.text("number"), object.number("flag"), object.flag("text")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([object.text("none"), object.number("absent"), object.flag("list")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([object.texts("list"), object.texts("text"), object.texts("absent")]).toEqual([["a"], [], []]);
  expect(object.objects("list").map((each) => each.number("b"))).toEqual([2]);
});

test("names that JavaScript's objects have of themselves are ordinary", () => {
  expect(read("{}").get("constructor")).toBeUndefined();
  expect(read('{"__proto__":{"mtu":1}}').get("mtu")).toBeUndefined();
});

test.each(["", " ", "{", '{"a":1} x', "[1", "{'a':1}", '{"a":01}'])("%j is no document: code 6", (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 6 }));
});

test.each([
  ["[]", "a list"],
  ['"x"', "a string"],
  ["1", "a number"],
  ["true", "a boolean"],
])("%s is not an object but %s: code 6", (text, kind) => {
  const message = `cannot decode configuration: expected a JSON object, found ${kind}`;
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 6, message }));
});

test("an empty document says so", () => {
  expect(() => read("\n")).toThrow("cannot decode configuration: it is empty");
});

test("null is an empty object, as in the reference", () => {
  expect(read("null").keys()).toEqual([]);
});

test("kindOf() names each kind", () => {
  const kinds = [null, [], {}, "", 0, false, undefined].map((value) => kindOf(value));
  expect(kinds).toEqual(["null", "a list", "an object", "a string", "a number", "a boolean", "nothing"]);
});
