import { expect, test } from "vitest";
import { macFormat } from "../spec/formats.ts";
import { Keys } from "../spec/keys.ts";
import { Problems } from "../spec/problems.ts";
import { keyTable, layoutProblems, readmeProblems } from "./readme-keys.ts";

const keys = new Keys(undefined, "", new Problems(true));
keys.text("bridge", "cni0", "the bridge");
keys.requiredText("master", "the parent | its name");
keys.oneOf("mode", ["bridge", "vepa"], "bridge", "the mode");
keys.list("vlanTrunk", (inner: Keys) => inner.optionalInteger("id", "one VLAN"), "VLANs");
keys.listOfLists("ranges", (inner: Keys) => inner.text("subnet", "", "pool"), "range sets");
keys.members(
  "runtimeConfig",
  (inner: Keys) => inner.optional("mac", macFormat, "hardware address"),
  "from the runtime",
);
keys.members("runtimeConfig", (inner: Keys) => inner.texts("ips", "addresses"), "from the runtime");
const described = keys.describe();

const table = `| key | type | default | meaning |
|---|---|---|---|
| \`bridge\` | string | \`"cni0"\` | the bridge |
| \`master\` | string | required | the parent \\| its name |
| \`mode\` | \`"bridge"\`, \`"vepa"\` | \`"bridge"\` | the mode |
| \`vlanTrunk\` | list of objects |  | VLANs |
| \`vlanTrunk[].id\` | integer |  | one VLAN |
| \`ranges\` | list of lists |  | range sets |
| \`ranges[][].subnet\` | string |  | pool |
| \`runtimeConfig\` | object |  | from the runtime |
| \`runtimeConfig.mac\` | string |  | hardware address |
| \`runtimeConfig.ips\` | list of strings |  | addresses |`;

test("the table has a row for each key, nested ones by their path", () => {
  expect(keyTable(described)).toBe(table);
});

test("a README with just this table is right, whatever its other tables say", () => {
  const readme = `# x\n\n${table}\n\n| host | what |\n|---|---|\n| \`veth\` | a link |\n`;
  expect(readmeProblems(readme, described)).toEqual([]);
});

test("keys that are missing, left over or listed twice are named", () => {
  const readme = table.replace("`mode`", "`mdoe`").replace("`vlanTrunk[].id`", "`bridge`");
  expect(readmeProblems(readme, described)).toEqual([
    "the plugin reads `mode`, which the table does not list",
    "the plugin reads `vlanTrunk[].id`, which the table does not list",
    "the table lists `mdoe`, which the plugin does not read",
    "the table lists `bridge` twice",
  ]);
});

test("a README without table says how it starts", () => {
  expect(readmeProblems("# x\n", described)).toEqual([
    'there is no table of keys: it starts with "| key | type | default | meaning |"',
  ]);
});

test("sections stand where an operator finds them in every README", () => {
  const last = ["## What it leaves on the host", "## Differences from the reference plugin"];
  expect(layoutProblems(["# x", "## Keys", "## Example", "## Of its own", ...last].join("\n"))).toEqual([]);
  expect(layoutProblems(["# x", "## Example", "## Keys", ...last].join("\n"))).toEqual([
    "its sections begin with Keys and Example",
  ]);
  expect(layoutProblems(["# x", "## Keys", "## Example", last[0]].join("\n"))).toEqual([
    "its sections end with What it leaves on the host and Differences from the reference plugin",
  ]);
});
