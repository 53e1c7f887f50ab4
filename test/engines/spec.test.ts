/** spec/ says the same on both engines as on Node: a few thousand questions, answered by ./spec.program.ts. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, engines } from "../../scripts/compile.ts";
import { renderResult } from "../../spec/convert.ts";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import type { Result } from "../../spec/result.ts";
import { specVersions } from "../../spec/versions.ts";
import { anyConfig } from "../helpers/arbitrary-config.ts";
import { anyAddress, anyPrefix, anyResult } from "../helpers/arbitrary-result.ts";
import { answer, readAll } from "./spec-answers.ts";

const chosen = engines.filter((engine) => (process.env["FERRULE_ENGINES"] ?? "native,bun").split(",").includes(engine));

const described = new Keys(undefined, "", new Problems(true));
readAll(described);

const versionName = fc.constantFrom("", ...specVersions.map((version) => version.name), "0.9.0");
const versionText = fc.oneof(versionName, fc.stringMatching(/^[0-9x]{0,2}(\.[0-9x]{0,2}){0,3}$/));
const argsText = fc
  .array(fc.constantFrom("IP=10.0.0.2", "MAC=a", "FOO=1", "IgnoreUnknown=1", "IgnoreUnknown=x", "A=b=c", "A", ""))
  .map((pairs) => pairs.join(";"));
const macText = fc.stringMatching(/^[0-9a-fA-F]{2,4}([:.-][0-9a-fA-F]{2,4}){2,7}$/);
const slip = fc.constantFrom(
  "isGatway",
  "Mtus",
  "vlanTrunks",
  "vlans",
  "IsGatewayyy",
  "veth",
  "..",
  "a/b",
  "a\u0085b",
  "ä",
);
const text = fc.oneof(
  versionText,
  argsText,
  macText,
  slip,
  anyAddress.map((address) => address.toString()),
  anyPrefix.map((prefix) => prefix.toString()),
  fc.string({ unit: "binary", maxLength: 17 }).filter((each) => each.isWellFormed()),
);

/** A result as a document, now and then with members that are not what they should be. */
const document = fc
  .tuple(anyResult, fc.constantFrom("0.4.0", "1.0.0", "1.1.0", "0.2.0"), fc.constantFrom("", "mtu", "dst", "dns", "gw"))
  .map(([result, version, broken]) => broke(rendered(result, version), broken));

function rendered(result: Result, version: string): unknown {
  return JSON.parse(
    renderResult(result, result.ips.length === 0 && version === "0.2.0" ? "0.4.0" : version),
  ) as unknown;
}

function broke(value: unknown, member: string): unknown {
  if (Array.isArray(value)) return value.map((each) => broke(each, member));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([name, each]) => [name, name === member ? [1] : broke(each, member)]));
}

const attachment = fc.record(
  { containerID: fc.constantFrom("a", "b", 1), ifname: fc.constantFrom("eth0", "") },
  { requiredKeys: [] },
);
const network = fc.record(
  {
    name: fc.oneof({ weight: 4, arbitrary: fc.constant("net") }, fc.constantFrom<unknown>("", "a/b", 1, null)),
    CNIVersion: fc.oneof(versionName, fc.constant(null), fc.constant(1)),
    ipam: fc.constantFrom<unknown>(null, {}, { Type: "static" }, { type: 1 }, []),
    "cni.dev/valid-attachments": fc.oneof(fc.constant(null), fc.array(attachment, { maxLength: 2 })),
    "cni.dev/attachments": fc.oneof(fc.constant(null), fc.array(attachment, { maxLength: 2 })),
  },
  { requiredKeys: ["name"] },
);

function questions(): string[] {
  const sample = <T>(subject: string, arbitrary: fc.Arbitrary<T>, count: number): string[] =>
    fc.sample(arbitrary, count).map((each) => `${subject} ${JSON.stringify(each)}`);
  const versions = fc.sample(fc.tuple(versionName, versionName), 40);
  return [
    ...sample("config", anyConfig(described.describe(), 8), 800),
    ...sample("config", anyConfig(described.describe(), 0), 200),
    ...sample("network", network, 300),
    ...sample("text", text, 1500),
    ...versions.flatMap(([from, to]) => sample(`${from}to${to}`, document, 15)),
  ];
}

describe.each(chosen)("the protocol on the %s engine", (engine) => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync("/tmp/ferrule-spec-");
    compile(engine, join(import.meta.dirname, "spec.program.ts"), join(directory, "spec"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("says what it says on Node", () => {
    const asked = questions();
    const { stdout, stderr } = spawnSync(join(directory, "spec"), {
      input: asked.join("\n"),
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    expect(stderr).toBe("");
    const answers = stdout.trimEnd().split("\n");
    expect(answers).toHaveLength(asked.length);
    const different = asked.flatMap((question, index) => {
      const wanted = answer(question);
      const said = JSON.parse(answers[index] ?? "null") as string;
      return said === wanted ? [] : [{ question, wanted, said }];
    });
    expect(different.slice(0, 5)).toEqual([]);
  });
});
