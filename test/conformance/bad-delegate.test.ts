/** IPAM plugins that are not there or misbehave: the error names them, and ADD leaves nothing. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../spec/errors.ts";
import { engines, type Suite } from "../helpers/engines.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin, type PluginCall } from "../helpers/plugin.ts";
import { expectSame, snapshot } from "../helpers/snapshot.ts";
import { type BadInput, bad, bridge, declareBadInput, ptp } from "./bad-input.ts";
import { fakeDelegate } from "./fake-delegate.ts";

const rows: readonly BadInput[] = [
  bad("bridge", "a delegate that is not there", { ...bridge, ipam: { type: "nowhere" } }, 103, /nowhere/),
  bad("bridge", "STATUS without the delegate", { ...bridge, ipam: { type: "nowhere" } }, 50, /nowhere/, {
    verb: "STATUS",
  }),
  bad(
    "bridge",
    "a delegate's name with /",
    { ...bridge, ipam: { type: "../../bin/sh" } },
    [7, 103],
    /\.\.\/\.\.\/bin\/sh/,
  ),
  bad("ptp", "the delegate's name ..", { ...ptp, ipam: { type: ".." } }, [7, 103], /\.\./),
];

/** Runs ptp with an IPAM plugin that is this shell script. */
async function withDelegate(
  node: TestNode,
  suite: Suite,
  script: string,
  env: Record<string, string> = {},
): Promise<PluginCall> {
  const directory = await fakeDelegate(node, script);
  const sandbox = await node.sandbox();
  const before = await snapshot(node, { sandboxes: [sandbox] });
  const call = await callPlugin(
    node,
    suite,
    "ptp",
    "ADD",
    { ...ptp, ipam: { type: "fake" } },
    {
      containerId: "container",
      netns: sandbox,
      ifName: "eth0",
      path: `${directory}:${suite.directory}`,
      env,
    },
  );
  expectSame(await snapshot(node, { sandboxes: [sandbox] }), before, "nothing was changed");
  return call;
}

const rubbish: readonly (readonly [what: string, script: string, code: number | readonly number[], names: RegExp])[] = [
  ["prints no JSON", "cat >/dev/null; echo 'panic: oh no'", [6, 103], /fake/],
  ["prints nothing", "cat >/dev/null", [6, 103], /fake/],
  ["prints a result of another shape", `cat >/dev/null; echo '{"cniVersion":"1.1.0","ips":"none"}'`, [6, 103], /fake/],
  [
    "answers in a version of another shape",
    `cat >/dev/null; echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.5/24"}}'`,
    1,
    /fake/,
  ],
  ["prints a list", "cat >/dev/null; echo '[]'", [6, 103], /fake/],
  ["returns no address", `cat >/dev/null; echo '{"cniVersion":"1.1.0","ips":[]}'`, [7, 103], /fake|IPAM/],
  ["fails without a word", "cat >/dev/null; exit 3", 103, /fake[\s\S]*3|3[\s\S]*fake/],
  ["fails and prints no error object", "cat >/dev/null; echo oops; exit 1", 103, /oops/],
  ["fails and speaks on stderr alone", "cat >/dev/null; echo 'no lease' >&2; exit 1", 103, /no lease/],
  [
    "fails as the specification says",
    `cat >/dev/null; echo '{"cniVersion":"1.1.0","code":142,"msg":"no lease today"}'; exit 1`,
    142,
    /no lease today/,
  ],
  ["kills itself", "kill -9 $$", 103, /fake/],
  [
    "does not read its stdin",
    `exec <&-; echo '{"cniVersion":"1.1.0","code":142,"msg":"no lease today"}'; exit 1`,
    142,
    /no lease today/,
  ],
];

describe.each(engines)("$name", (engine) => {
  declareBadInput(engine, rows);

  test.each(rubbish)("a delegate that %s", async (_what, script, code, names) => {
    await using node = await TestNode.create();
    (await withDelegate(node, engine, script)).expectError(code, names);
  });

  test.each(["GC", "STATUS"])("%s reaches a delegate that is executed, and its failure comes back", async (verb) => {
    await using node = await TestNode.create();
    const script = `cat >/dev/null; echo '{"cniVersion":"1.1.0","code":142,"msg":"'$CNI_COMMAND' is not for today"}'; exit 1`;
    const directory = await fakeDelegate(node, script);
    const config = { ...ptp, ipam: { type: "fake" }, "cni.dev/valid-attachments": [] };
    const call = await callPlugin(node, engine, "ptp", verb, config, { path: `${directory}:${engine.directory}` });
    call.expectError(142, new RegExp(`${verb} is not for today`));
  });

  test("a delegate that hangs is killed with its children, and the error says so", async () => {
    await using node = await TestNode.create();
    const pids = join(node.directory, "pids");
    const script = `[ "$CNI_COMMAND" = ADD ] || exit 0\necho $$ >>${pids}\nsleep 300 & echo $! >>${pids}\nwait`;
    const call = await withDelegate(node, engine, script, { FERRULE_DEADLINE: "3" });
    call.expectError([ErrorCode.DelegateFailed, ErrorCode.TryAgain], /fake/);
    expect(call.wallMs, "it ended by its own deadline").toBeLessThan(20_000);
    const running = await node.run([
      "sh",
      "-c",
      `for p in $(cat ${pids}); do [ -d /proc/$p ] && grep -v Z /proc/$p/stat; done`,
    ]);
    expect(running.stdout, "no process is left").toBe("");
  });
});
