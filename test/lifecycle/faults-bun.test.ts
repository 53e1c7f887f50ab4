import { describeEngine } from "../helpers/engines.ts";
import { localFaults } from "./faults.ts";

describeEngine("bun", (engine) => localFaults(engine, "all rows"));
