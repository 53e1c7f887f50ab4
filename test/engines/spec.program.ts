/** Answers the questions on stdin, a line each: the program of ./spec.test.ts. */
import { readFileSync } from "node:fs";
import { writeAll } from "#system";
import { answer } from "./spec-answers.ts";

const answers: string[] = [];
for (const line of readFileSync(0, "utf8").split("\n")) if (line !== "") answers.push(JSON.stringify(answer(line)));
writeAll(1, new TextEncoder().encode(answers.join("\n")));
