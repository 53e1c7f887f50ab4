/**
 * The rows of the matrix that this machine's kernel cannot run, in virtual machines, one for each row: of each plugin's fullest row one
 * life with the native plugins and the newest version of the specification. FERRULE_KERNEL_MATRIX is for `npm run test:kernels`:
 * "sample" tries all that runtimes do on these, and faults at a few steps; "all" takes the other versions and rows too, some rows that
 * any kernel can run, and Bun's build in one version of each shape, the newest wholly.
 */
import { describe, test } from "vitest";
import { describeEngine } from "../helpers/engines.ts";
import { describeInMachine, kernelLacks } from "../helpers/kernel.ts";
import { emulatedFaults } from "./fault-table.ts";
import { faultMatrix } from "./faults.ts";
import { allVersions, lifeCycleMatrix, presentRows, shapeVersions } from "./matrix.ts";

const scope = process.env["FERRULE_KERNEL_MATRIX"] ?? "";
const sample = ["bridge, both families, nftables masquerade", "ptp", "portmap, nftables"];
const lacking = presentRows.filter((row) => kernelLacks(row.needs) !== "");
const fullest = lacking.filter((row) => row.sampled !== true);
const rows =
  scope === "all" ? presentRows.filter((row) => lacking.includes(row) || sample.includes(row.name)) : fullest;
const newest = allVersions.slice(-1);

if (rows.length === 0) test.skip("this machine's kernel can run every row itself", () => {});
for (const row of rows) {
  const isFullest = fullest.includes(row);
  describeInMachine(() => {
    const versions = scope === "all" && isFullest ? allVersions : newest;
    const wholly = scope === "" ? [] : newest;
    describeEngine("native", (engine) => {
      lifeCycleMatrix(engine, { rows: [row], versions, wholly });
      if (scope !== "" && isFullest) describe("faults", () => faultMatrix(engine, [row], () => emulatedFaults(4)));
    });
    if (scope === "all" && isFullest)
      describeEngine("bun", (engine) =>
        lifeCycleMatrix(engine, { rows: [row], versions: shapeVersions, wholly: newest }),
      );
  });
}
