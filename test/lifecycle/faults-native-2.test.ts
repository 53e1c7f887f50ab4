/** The rows that faults-native-1.test.ts leaves out. */
import { describeEngine } from "../helpers/engines.ts";
import { localFaults } from "./faults.ts";

describeEngine("native", (engine) => localFaults(engine, "the rows between"));
