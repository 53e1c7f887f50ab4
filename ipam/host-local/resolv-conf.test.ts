import { expect, it } from "vitest";
import { parseResolvConf } from "./resolv-conf.ts";

it("reads a simple file", () => {
  expect(parseResolvConf("nameserver 192.0.2.0\nnameserver 192.0.2.1\n")).toEqual({
    nameservers: ["192.0.2.0", "192.0.2.1"],
    domain: "",
    search: [],
    options: [],
  });
});

it("reads all fields, tabs and CR LF included", () => {
  const text =
    "domain example.com\r\n nameserver\t192.0.2.0\r\nsearch example.org example.net\noptions one two\noptions three";
  expect(parseResolvConf(text)).toEqual({
    nameservers: ["192.0.2.0"],
    domain: "example.com",
    search: ["example.org", "example.net"],
    options: ["one", "two", "three"],
  });
});

it("passes over comments, empty lines, keywords without a value and unknown ones", () => {
  const text = "# nameserver 192.0.2.9\n; search x\n\nnameserver\nsortlist 10.0.0.0\nnameserver 192.0.2.1 # comment\n";
  expect(parseResolvConf(text).nameservers).toEqual(["192.0.2.1"]);
  expect(parseResolvConf(text).search).toEqual([]);
});

it("lets the last search line win, as the resolver does and the reference does not", () => {
  expect(parseResolvConf("search a b\nsearch c\n").search).toEqual(["c"]);
});

it("lets the last domain win", () => {
  expect(parseResolvConf("domain a\ndomain b\n").domain).toBe("b");
});
