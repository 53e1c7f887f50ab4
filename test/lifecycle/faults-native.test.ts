import { describeEngine } from "../helpers/engines.ts";
import { faultMatrix } from "./faults.ts";

describeEngine("native", faultMatrix);
