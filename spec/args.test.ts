import { expect, test } from "vitest";
import { parseArgs } from "./args.ts";
import { CniError } from "./errors.ts";

const kubernetes =
  "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=4f2a;K8S_POD_UID=7";

test.each<[string, string[], Record<string, string>]>([
  ["", ["MAC"], {}],
  ["MAC=c2:11:22:33:44:55", ["MAC"], { MAC: "c2:11:22:33:44:55" }],
  ["IP=10.0.0.2;GATEWAY=10.0.0.1", ["IP", "GATEWAY"], { IP: "10.0.0.2", GATEWAY: "10.0.0.1" }],
  ["IP=10.0.0.2;IP=10.0.0.3", ["IP"], { IP: "10.0.0.3" }],
  ["IP=", ["IP"], { IP: "" }],
  ["FOO=1;IgnoreUnknown=true;IP=10.0.0.2", ["IP"], { IP: "10.0.0.2" }],
  ["IgnoreUnknown=TRUE;mac=x", ["MAC"], {}],
  ["IgnoreUnknown=0", [], {}],
  ["IgnoreUnknown=0;IgnoreUnknown=1;FOO=1", [], {}],
  [kubernetes, ["MAC"], {}],
])("%j is read", (text, accepted, values) => {
  expect(Object.fromEntries(parseArgs(text, accepted))).toEqual(values);
});

test.each([
  ["FOO", 'ARGS: invalid pair "FOO"'],
  ["FOO=a=b", 'ARGS: invalid pair "FOO=a=b"'],
  ["IP=10.0.0.2;", 'ARGS: invalid pair ""'],
  ["FOO=1", 'ARGS: unknown args ["FOO=1"]'],
  ["FOO=1;BAR=2;IgnoreUnknown=false", 'ARGS: unknown args ["FOO=1" "BAR=2"]'],
  ["ip=10.0.0.2", 'ARGS: unknown args ["ip=10.0.0.2"]'],
  ["ignoreunknown=1", 'ARGS: unknown args ["ignoreunknown=1"]'],
  ["IgnoreUnknown=maybe", 'ARGS: error parsing value of pair "IgnoreUnknown=maybe": neither true nor false'],
])("%j is refused with code 4", (text, message) => {
  const refusal = expect(() => parseArgs(text, ["IP"]));
  refusal.toThrow(CniError);
  refusal.toThrow(expect.objectContaining({ code: 4, message }));
});
