/**
 * The rows of the matrix that this machine's kernel cannot run, in a virtual machine: one life with the native plugins and the newest
 * version of the specification. FERRULE_KERNEL_MATRIX is for `npm run test:kernels`: "sample" tries all that runtimes do, and adds
 * rows that any kernel can run; "all" takes the other versions too, and Bun's build in one version of each shape.
 */
import { test } from "vitest";
import { describeEngine } from "../helpers/engines.ts";
import { describeInMachine, kernelLacks } from "../helpers/kernel.ts";
import { allVersions, lifeCycleMatrix, presentRows, shapeVersions } from "./matrix.ts";

const scope = process.env["FERRULE_KERNEL_MATRIX"] ?? "";
const sample = scope === "" ? [] : ["bridge, both families, nftables masquerade", "ptp", "portmap, nftables"];
const rows = presentRows.filter((row) => kernelLacks(row.needs) !== "" || sample.includes(row.name));
const newest = allVersions.slice(-1);

if (rows.length === 0) test.skip("this machine's kernel can run every row itself", () => {});
else
  describeInMachine(() => {
    const versions = scope === "all" ? allVersions : newest;
    const wholly = scope === "" ? [] : newest;
    describeEngine("native", (engine) => lifeCycleMatrix(engine, { rows, versions, wholly }));
    if (scope === "all")
      describeEngine("bun", (engine) => lifeCycleMatrix(engine, { rows, versions: shapeVersions, wholly: [] }));
  });
