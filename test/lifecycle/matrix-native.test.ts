import { describeEngine } from "../helpers/engines.ts";
import { localMatrix } from "./matrix.ts";

describeEngine("native", localMatrix);
