/**
 * What the machine's own kernel may lack (VLAN filtering of bridges, kinds of links), or have and not be able to leave (IPv6): the
 * native plugins under Debian's stable kernel, in a virtual machine. One boot runs many case files; each case is a test here.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../helpers/command.ts";
import { engines } from "../helpers/engines.ts";
import { otherKernel } from "../helpers/kernel.ts";
import { bootCommand, boots } from "./case-files.ts";

const BOOT_TIMEOUT_MS = 1_500_000;
const suite = engines.find((each) => each.name === "native");
const reason = process.env["FERRULE_KERNEL_MISSING"] ?? (suite === undefined ? "native is not tested" : undefined);

const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
describe.skipIf(reason !== undefined)(`under the kernel of Debian ${otherKernel}${skipped}`, () => {
  describe.each(boots("quick"))("booted with '$words'", (boot) => {
    let lines: readonly string[] = [];
    let machine = "";

    beforeAll(async () => {
      const outcome = await runCommand(bootCommand(otherKernel, BOOT_TIMEOUT_MS / 1000, boot, suite?.directory ?? ""));
      lines = outcome.stdout.split("\n");
      machine = `status ${outcome.status}\n${outcome.stdout}\n${outcome.stderr}`;
    }, BOOT_TIMEOUT_MS + 10_000);

    test.each(boot.cases)("%s", (name) => {
      const at = lines.findIndex((line) => line === `ok - ${name}` || line === `not ok - ${name}`);
      expect(at, `the machine said nothing about it: ${machine}`).toBeGreaterThanOrEqual(0);
      const rest = lines.slice(at + 1);
      const end = rest.findIndex((line) => !line.startsWith("#"));
      expect(lines[at], rest.slice(0, end).join("\n")).toBe(`ok - ${name}`);
    });
  });
});
