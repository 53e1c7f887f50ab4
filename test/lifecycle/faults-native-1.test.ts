/** In two files, so that they run side by side. */
import { describeEngine } from "../helpers/engines.ts";
import { localFaults } from "./faults.ts";

describeEngine("native", (engine) => localFaults(engine, "every other row"));
