/**
 * Each plugin's README.md has a table of its keys that lists exactly what its config.ts reads, and its sections where the others have them.
 *   npm run readme-keys                     checks all
 *   npm run readme-keys -- --print bridge   prints the table to paste
 */
import { existsSync, readFileSync } from "node:fs";
import { keyTable, layoutProblems, readmeProblems } from "./readme-keys.ts";
import { ownPlugins, pluginFolder, root } from "./schemas/documents.ts";

function check(): number {
  let failures = 0;
  for (const plugin of ownPlugins()) {
    const path = `${pluginFolder(plugin.type)}/README.md`;
    if (!existsSync(root + path)) {
      console.error(`${path} is missing; its table of keys: npm run readme-keys -- --print ${plugin.type}`);
      failures += 1;
      continue;
    }
    const text = readFileSync(root + path, "utf8");
    for (const problem of [...readmeProblems(text, plugin.describe()), ...layoutProblems(text)]) {
      console.error(`${path}: ${problem}`);
      failures += 1;
    }
  }
  if (failures > 0)
    console.error("Operators configure plugins by these tables: keep them equal to what the code reads.");
  return failures === 0 ? 0 : 1;
}

function print(name: string): number {
  const plugin = ownPlugins().find((each) => each.type === name);
  if (plugin === undefined) {
    console.error(`No plugin is called "${name}": it must be in cmd/cni/plugins.ts and names.ts`);
    return 1;
  }
  console.log(keyTable(plugin.describe()));
  return 0;
}

const [option, name] = process.argv.slice(2);
process.exitCode = option === "--print" ? print(name ?? "") : check();
