import { describeEngine } from "../helpers/engines.ts";
import { lifeCycleMatrix } from "./matrix.ts";

describeEngine("bun", lifeCycleMatrix);
