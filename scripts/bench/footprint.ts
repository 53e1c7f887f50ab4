/** What a suite takes: memory of one process, and room on disk. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { BenchNode } from "./bench-node.ts";
import type { MeasuredRow } from "./report.ts";

const MEMORY_BUDGET_KB = 3000;
const SIZE_BUDGET_KB = 4000;

/** bridge's ADD, the process itself without those it starts. */
export async function measureMemory(directories: Readonly<Record<string, string>>): Promise<MeasuredRow> {
  const suites: Record<string, { value: number }> = {};
  for (const [suite, directory] of Object.entries(directories)) {
    const node = new BenchNode(suite, directory, "nft");
    try {
      const ranges = [[{ subnet: "10.88.0.0/16" }], [{ subnet: "fd00:88::/64" }]];
      const ipam = { type: "host-local", dataDir: `${node.stateDirectory}/addresses`, ranges };
      const config = { type: "bridge", isDefaultGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam };
      suites[suite] = { value: await node.peakMemory(config, "ADD", node.container("measured")) };
    } finally {
      node.remove();
    }
  }
  return { title: "peak memory, bridge ADD", unit: "kB", budget: { atMost: MEMORY_BUDGET_KB }, suites };
}

/** All files of the directory, hard links to the same one counted once. */
export function measureSizes(directories: Readonly<Record<string, string>>): MeasuredRow {
  const suites: Record<string, { value: number }> = {};
  for (const [suite, directory] of Object.entries(directories)) {
    const sizes = new Map<number, number>();
    for (const name of readdirSync(directory)) {
      const status = statSync(join(directory, name));
      sizes.set(status.ino, status.size);
    }
    const bytes = [...sizes.values()].reduce((a, b) => a + b, 0);
    suites[suite] = { value: Math.round(bytes / 1000) };
  }
  return { title: "size on disk, all plugins", unit: "kB", budget: { atMost: SIZE_BUDGET_KB }, suites };
}
