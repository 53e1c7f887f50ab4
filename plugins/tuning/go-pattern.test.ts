import { describe, expect, test } from "vitest";
import { compilePattern } from "./go-pattern.ts";

const KEY = "net.ipv4.conf.IFNAME.rp_filter";

/** Each as Go's regexp.MatchString answers for KEY. */
describe("as the reference's decides", () => {
  test.each([
    "^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$",
    "conf",
    "(?i)NET\\.IPV4",
    "(?is)^NET.*$",
    "\\Anet",
    "filter\\z",
    "(?P<what>net|kernel)\\.",
    "(?<what>net)",
    "(?:net|kernel)\\.ipv[46]",
    "[[:alpha:]]+\\.ipv4",
    "^[[:alnum:]._]+$",
    "^[^[:upper:]]+",
    "\\Qnet.ipv4\\E\\.conf",
    "\\Qnet.ipv4.conf.IFNAME.rp_filter",
    "[]n]et",
    "rp\\x5ffilter",
    "\\bconf\\b",
    "r.{1,2}_filter",
    "\\w+\\.\\w+\\.conf",
    "[\\d]",
    "",
  ])("%s allows", (pattern) => {
    expect(compilePattern(pattern)?.test(KEY)).toBe(true);
  });

  test.each([
    "NET",
    "^conf",
    "net\\.core",
    "# net.ipv4",
    "net,ipv4",
    "^net$",
    "[[:digit:]]{2}",
    "\\Qnet.*\\E",
    "[^]a-zA-Z0-9._]",
  ])("%s does not", (pattern) => {
    expect(compilePattern(pattern)?.test(KEY)).toBe(false);
  });
});

test.each([
  ...["[bad", "(open", "a**", "(?!x)net", "(?=net)", "(?<=a)b", "(?<!a)b", "(a)\\1", "\\pL+", "\\x{41}", "(?i:net)"],
  ...["(?U)a+", "x(?i)y", "[[:nope:]]", "\\", "[\\", "[a", "\\C", "\\Z", "[\\b]", ")"],
])("%s is not understood, rather than understood differently", (pattern) => {
  expect(compilePattern(pattern)).toBeUndefined();
});
