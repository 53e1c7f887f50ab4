/**
 * Measures every case: prepares it for each suite, then calls the suites in turn, A B C, B C A, so that what else the machine
 * does strikes all alike. Run by scripts/bench.ts under Bun in namespaces of its own.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { attachCases } from "./attach-cases.ts";
import { BenchNode } from "./bench-node.ts";
import type { Case, Course } from "./case.ts";
import { measureMemory, measureSizes } from "./footprint.ts";
import type { Order } from "./order.ts";
import { type MeasuredRow, markdownTable, rowTitle, textTable } from "./report.ts";
import { singleCases } from "./single-cases.ts";
import type { Timing } from "./timed-process.ts";

const HEAVY_ROUNDS = 8;
const WARM_UP_ROUNDS = 2;

function say(line: string): void {
  console.error(`bench: ${line}`);
}

interface Runner {
  readonly node: BenchNode;
  readonly course: Course;
  /** For each row, the timings so far. */
  readonly timings: Timing[][];
}

async function measure(
  each: Case,
  order: Order,
  directories: Readonly<Record<string, string>>,
): Promise<MeasuredRow[]> {
  const runners: Runner[] = [];
  const nodes: BenchNode[] = [];
  try {
    for (const [suite, directory] of Object.entries(directories)) {
      const node = new BenchNode(suite, directory, each.tools);
      nodes.push(node);
      const lacking = each.plugins.filter((plugin) => !node.has(plugin));
      if (lacking.length > 0) {
        say(`${each.title}: ${suite} has no ${lacking.join(", ")} yet`);
        continue;
      }
      runners.push({ node, course: await each.prepare(node), timings: each.rows.map(() => []) });
    }
    const rounds = each.heavy ? Math.min(order.rounds, HEAVY_ROUNDS) : order.rounds;
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      const shift = (round + WARM_UP_ROUNDS) % Math.max(1, runners.length);
      for (const runner of [...runners.slice(shift), ...runners.slice(0, shift)]) {
        const timings = await runner.course.round();
        if (round >= 0) for (const [i, timing] of timings.entries()) runner.timings[i]?.push(timing);
      }
    }
  } finally {
    for (const node of nodes) node.remove();
  }
  return each.rows.map((row, i) => ({
    title: rowTitle(each.title, row.title),
    budget: row.budget,
    unit: "ms",
    suites: Object.fromEntries(runners.map((runner) => [runner.node.suite, summarize(runner.timings[i] ?? [])])),
  }));
}

function summarize(timings: readonly Timing[]): {
  readonly value: number;
  readonly cpu: number;
  readonly samples: number;
} {
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  return {
    value: median(timings.map((each) => each.wallMs)),
    cpu: median(timings.map((each) => each.cpuMs)),
    samples: timings.length,
  };
}

async function main(order: Order, directories: Readonly<Record<string, string>>): Promise<number> {
  const chosen = [...singleCases, ...attachCases].filter(
    (each) => each.title.includes(order.only) && !(order.quick && each.heavy),
  );
  const rows: MeasuredRow[] = [];
  let failures = 0;
  for (const each of chosen) {
    say(each.title);
    try {
      rows.push(...(await measure(each, order, directories)));
    } catch (error) {
      failures += 1;
      say(`${each.title}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if ("memory".includes(order.only)) rows.push(await measureMemory(directories));
  if ("size".includes(order.only)) rows.push(measureSizes(directories));
  const about = `Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, medians of ${order.rounds} calls`;
  console.log(order.markdown ? `${markdownTable(rows)}\n${about}.` : `${textTable(rows)}\n\n${about}`);
  const directory = fileURLToPath(new URL("../../bench/", import.meta.url));
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}results.json`, `${JSON.stringify({ about, rows }, null, 2)}\n`);
  return failures === 0 ? 0 : 1;
}

const [order = "{}", directories = "{}"] = process.argv.slice(2);
// Not by process.exitCode: listening sockets of the measured services would keep the process.
process.exit(await main(JSON.parse(order), JSON.parse(directories)));
