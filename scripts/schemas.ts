/** Writes schemas/: `npm run schemas`, after a plugin's keys have changed. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { pluginNames } from "../cmd/cni/names.ts";
import { ownPlugins, root, schemaFiles } from "./schemas/documents.ts";

const directory = `${root}schemas/`;
const files = schemaFiles();
for (const name of readdirSync(directory)) if (!files.has(name)) rmSync(directory + name);
for (const [name, schema] of files) writeFileSync(directory + name, `${JSON.stringify(schema, null, 2)}\n`);

const own = ownPlugins().map((plugin) => plugin.type);
const missing = pluginNames.filter((name) => !own.includes(name));
if (missing.length > 0) console.error(`No schema for ${missing.join(", ")}: not in the table of cmd/cni/plugins.ts`);
