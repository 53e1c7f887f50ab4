/** The case files of this directory (tools.sh tells what they are), and how many of them share one boot. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const directory = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");

/** What one machine runs. */
export interface Boot {
  /** More words for the kernel's command line; mostly none. */
  readonly words: string;
  /** How many network cards the machine has. */
  readonly cards: number;
  /** Paths of the case files. */
  readonly files: readonly string[];
  /** The names of all their cases. */
  readonly cases: readonly string[];
}

/**
 * The case files by how their kernel is booted: all, or those that `npm test` runs too. A line `# thorough` leaves a file to
 * `npm run test:kernels`: this machine's kernel can mostly do what it needs, and other tests show it there.
 */
export function boots(thorough: boolean): Boot[] {
  const byWords = new Map<string, { cards: number; files: string[]; cases: string[] }>();
  for (const name of readdirSync(directory).toSorted()) {
    if (!name.endsWith(".sh") || name === "tools.sh") continue;
    const file = join(directory, name);
    const text = readFileSync(file, "utf8");
    if (!thorough && /^# thorough$/m.test(text)) continue;
    const words = /^# boot: (.+)$/m.exec(text)?.[1] ?? "";
    const boot = byWords.get(words) ?? { cards: 0, files: [], cases: [] };
    boot.cards = Math.max(boot.cards, Number(/^# cards: (\d+)$/m.exec(text)?.[1] ?? 0));
    boot.files.push(file);
    for (const match of text.matchAll(/^report "([^"]+)"/gm)) boot.cases.push(match[1] ?? "");
    byWords.set(words, boot);
  }
  return [...byWords].map(([words, boot]) => ({ words, ...boot }));
}

/** The words that boot a kernel and run the files of one boot with the plugins of a directory. */
export function bootCommand(kernel: string, limitSeconds: number, boot: Boot, plugins: string): string[] {
  const machine = [join(directory, "vmrun"), "-k", kernel, "-t", String(limitSeconds), "-n", String(boot.cards)];
  const words = boot.words === "" ? [] : ["-a", boot.words];
  const each = 'plugins=$1; shift; for file in "$@"; do "$file" "$plugins"; done';
  return [...machine, ...words, "--", "sh", "-c", each, "cases", plugins, ...boot.files];
}
