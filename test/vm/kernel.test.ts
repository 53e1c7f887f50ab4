/**
 * What the machine's own kernel may lack (VLAN filtering of bridges), or have and not be able to leave (IPv6): the native plugins
 * under Debian's stable kernel, in a virtual machine. One boot runs all cases of program.sh, each of which is a test here.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../helpers/command.ts";
import { engines, projectRoot } from "../helpers/engines.ts";

const BOOT_TIMEOUT_MS = 300_000;
const program = join(projectRoot, "test/vm/program.sh");
const suite = engines.find((each) => each.name === "native");
const reason = process.env["FERRULE_KERNEL_MISSING"] ?? (suite === undefined ? "native is not tested" : undefined);

/** The names of the program's cases: those that need a kernel booted without IPv6, and the others. */
const names = [...readFileSync(program, "utf8").matchAll(/^ +report "([^"]+)"/gm)].map((match) => match[1] ?? "");
const withoutSix = names.filter((name) => name.startsWith("without IPv6"));
const parts = [
  { part: "all", words: [], cases: names.filter((name) => !withoutSix.includes(name)) },
  { part: "no-ipv6", words: ["-a", "ipv6.disable=1"], cases: withoutSix },
];

describe.skipIf(reason !== undefined)(`under Linux 6.1${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  describe.each(parts)("$part", ({ part, words, cases }) => {
    let lines: readonly string[] = [];
    let machine = "";

    beforeAll(async () => {
      const vmrun = [
        join(projectRoot, "test/vm/vmrun"),
        "-k",
        "bookworm",
        "-t",
        String(BOOT_TIMEOUT_MS / 1000),
        ...words,
      ];
      const outcome = await runCommand([...vmrun, "--", program, suite?.directory ?? "", part]);
      lines = outcome.stdout.split("\n");
      machine = `status ${outcome.status}\n${outcome.stdout}\n${outcome.stderr}`;
    }, BOOT_TIMEOUT_MS + 10_000);

    test.each(cases)("%s", (name) => {
      const at = lines.findIndex((line) => line === `ok - ${name}` || line === `not ok - ${name}`);
      expect(at, `the machine said nothing about it: ${machine}`).toBeGreaterThanOrEqual(0);
      const rest = lines.slice(at + 1);
      const end = rest.findIndex((line) => !line.startsWith("#"));
      expect(lines[at], rest.slice(0, end).join("\n")).toBe(`ok - ${name}`);
    });
  });
});
