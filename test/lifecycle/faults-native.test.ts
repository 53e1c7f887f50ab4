import { describeEngine } from "../helpers/engines.ts";
import { localFaults } from "./faults.ts";

describeEngine("native", localFaults);
