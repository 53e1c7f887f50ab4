/** The imports of the source tree, read from the files' text. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Import {
  /** The importing file, below the repository's root. */
  readonly from: string;
  /** What the import names. */
  readonly specifier: string;
  /** The imported file below the root; empty when the specifier is no relative path. */
  readonly to: string;
  /** Whether it vanishes when types are erased. */
  readonly typeOnly: boolean;
}

/** TypeScript files below the folders, tests left out. */
export function sourceFiles(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => filesBelow(folder)).filter((path) => /(?<!\.test|\.d)\.ts$/.test(path));
}

function filesBelow(folder: string): string[] {
  try {
    const entries = readdirSync(root + folder, { recursive: true, withFileTypes: true });
    return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name).slice(root.length));
  } catch {
    return [];
  }
}

const STATEMENT = /^(import|export)\s(type\s)?(?:[^"'`;]*?\sfrom\s)?"([^"]+)"/gm;
const DYNAMIC = /\b(?:import|require)\("([^"]+)"\)/g;

export function importsOf(file: string): Import[] {
  const text = readFileSync(root + file, "utf8");
  const imports: Import[] = [];
  for (const match of text.matchAll(STATEMENT)) imports.push(describe(file, match[3] ?? "", match[2] !== undefined));
  for (const match of text.matchAll(DYNAMIC)) imports.push(describe(file, match[1] ?? "", false));
  return imports;
}

function describe(from: string, specifier: string, typeOnly: boolean): Import {
  const to = specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : "";
  return { from, specifier, to, typeOnly };
}

/** A loop of imports that remain at run time, as the files on it; empty when there is none. */
export function findCycle(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly && to !== "") next.set(from, [...(next.get(from) ?? []), to]);
  }
  const finished = new Set<string>();
  const visit = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (finished.has(file)) return [];
    for (const to of next.get(file) ?? []) {
      const cycle = visit(to, [...way, file]);
      if (cycle.length > 0) return cycle;
    }
    finished.add(file);
    return [];
  };
  for (const file of next.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
