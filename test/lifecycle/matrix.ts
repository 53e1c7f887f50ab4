/**
 * Every plugin, in every version of the specification, through its whole life. One test file for each engine runs this, so that
 * they run side by side, and one for rows that need another kernel.
 */
import { afterAll, describe, expect, test } from "vitest";
import { pluginNames } from "../../cmd/cni/names.ts";
import { version as ownVersion } from "../../cmd/cni/version.ts";
import { compareVersions, specVersions } from "../../spec/versions.ts";
import type { Suite } from "../helpers/engines.ts";
import { kernelLacks } from "../helpers/kernel.ts";
import { TestNode } from "../helpers/node.ts";
import { callPlugin } from "../helpers/plugin.ts";
import { declareLife, declareRest } from "./life.ts";
import { type PluginCase, pluginCases } from "./plugin-cases.ts";
import { UsedNetwork } from "./used-network.ts";

/** What a matrix is made of. */
export interface MatrixScope {
  readonly rows: readonly PluginCase[];
  readonly versions: readonly string[];
  /** In these versions all that runtimes do is tried; in the others only one life, for reading and printing is all that differs. */
  readonly wholly: readonly string[];
}

export const allVersions: readonly string[] = specVersions.map((each) => each.name);
/** One version of each shape of results, and the one that brought CHECK. */
export const shapeVersions: readonly string[] = ["0.2.0", "0.4.0", "1.1.0"];

/** `npm run test:thorough`: more versions, and more steps of each fault. */
export const thorough: boolean = process.env["FERRULE_THOROUGH"] === "1";

/** The rows of plugins that this build has, and that this machine has the programs for. */
export const presentRows: readonly PluginCase[] = pluginCases.filter(
  (row) => pluginNames.includes(row.config.type) && row.missing === undefined,
);

/** semver.org's grammar, of a version that is no pre-release. */
const versionLine = /^v(\d+)\.(\d+)\.(\d+)\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)\n/;

/** Declares what every plugin says of itself, whatever its configuration. */
export function selfDescriptions(engine: Suite): void {
  describe.each([...new Set(presentRows.map((row) => row.config.type))])("%s", (type) => {
    test("VERSION tells the versions and reads no configuration", async () => {
      await using node = await TestNode.create();
      const answer = (await callPlugin(node, engine, type, "VERSION", "", {})).expectSuccess();
      expect(answer.supportedVersions).toEqual(expect.arrayContaining(["0.4.0", "1.0.0", "1.1.0"]));
      expect(answer.supportedVersions).toContain(answer.cniVersion);
    });

    test("without CNI_COMMAND it tells on stderr what it is", async () => {
      await using node = await TestNode.create();
      const call = await callPlugin(node, engine, type, "", "", {});
      expect(call.status).toBe(0);
      expect(call.stdout).toBe("");
      // As nerdctl reads it: below 1.7.1 it does without the firewall's same-bridge and isolated.
      const [, major, minor, patch, metadata] = versionLine.exec(call.stderr.replace(`CNI ${type} plugin `, "")) ?? [];
      expect(compareVersions(`${major}.${minor}.${patch}`, "1.7.1"), call.stderr).toBeGreaterThanOrEqual(0);
      expect(metadata).toBe(`ferrule.${ownVersion}`);
      expect(call.stderr).toMatch(/CNI protocol versions supported: .*1\.1\.0/);
    });
  });
}

/** Declares the tests of one engine. */
export function lifeCycleMatrix(engine: Suite, { rows, versions, wholly }: MatrixScope): void {
  describe.each(rows)("$name", (row) => {
    describe.each(versions.filter((name) => compareVersions(name, row.since) >= 0))("%s", (version) => {
      const used = new UsedNetwork(row, engine, version);
      afterAll(async () => {
        await used.dispose();
      });
      declareLife({ row, engine, version, used });
      if (wholly.includes(version)) declareRest({ row, engine, version, used });
    });
  });
}

/**
 * Before 0.4.0 a DEL is told no result, which is the one difference between versions that is more than reading and printing: natively
 * everything is done in such a version and in the newest. Bun's build runs the same source, and costs many times as much to start.
 */
function localVersions(engine: Suite): Pick<MatrixScope, "versions" | "wholly"> {
  if (thorough) return { versions: allVersions, wholly: shapeVersions };
  if (engine.name === "bun") return { versions: shapeVersions, wholly: ["1.1.0"] };
  return { versions: allVersions, wholly: ["0.2.0", "1.1.0"] };
}

/**
 * Declares what runs under this machine's own kernel; a row that it cannot run is skipped, for matrix-kernel.test.ts has it. So is one
 * whose programs cannot be installed without starting on the machine (firewalld, docs/testing.md): `npm test` lists it with that reason.
 */
export function localMatrix(engine: Suite): void {
  selfDescriptions(engine);
  for (const { name, missing } of pluginCases) if (missing !== undefined) test.skip(`${name}: ${missing}`, () => {});
  for (const row of presentRows) {
    const lacks = kernelLacks(row.needs);
    if (lacks !== "") test.skip(`${row.name}: ${lacks}; the row runs in a virtual machine`, () => {});
  }
  lifeCycleMatrix(engine, {
    rows: presentRows.filter((row) => kernelLacks(row.needs) === ""),
    ...localVersions(engine),
  });
}
