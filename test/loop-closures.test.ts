/**
 * A function that is kept may not use what a loop takes apart: natively `for (const { a } of list) undo.push(…, () => use(a))`, and
 * `const { a } = each` inside the loop, are one variable for all rounds, and every function that was kept sees the last one's. Nothing
 * reports it, at no time. One that is over before the round is does no harm.
 */
import { readFileSync } from "node:fs";
import { parseSync } from "rolldown/utils";
import { expect, test } from "vitest";
import { root, sourceFiles } from "./helpers/imports.ts";

/** What calls the function that it is given at once, and does not keep it. */
const AT_ONCE = new Set([
  ...["some", "every", "find", "findLast", "filter", "map", "flatMap", "forEach", "reduce", "sort", "toSorted"],
  ...["attempt", "change", "alone", "needing", "whileNobodyJoins"],
]);

/** A node of the syntax tree (ESTree): members are nodes, lists of nodes, or plain values. */
type Node = { readonly type: string; readonly start: number } & { readonly [member: string]: unknown };

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  );
}

const isFunction = ({ type }: Node): boolean => /Function/.test(type);
const isLoop = ({ type }: Node): boolean => /^(For|While|DoWhile).*Statement$/.test(type);

/** The names that destructuring binds below a node, nested functions and loops left out. */
function takenApart(node: Node, isPattern = false): string[] {
  if (isFunction(node)) return [];
  if (isPattern && node.type === "Identifier") return [String(node["name"])];
  if (isPattern && node.type === "Property") return takenApart(node["value"] as Node, true);
  const within = isPattern || /^(Object|Array)Pattern$/.test(node.type);
  return childrenOf(node).flatMap((child) => (isLoop(child) ? [] : takenApart(child, within)));
}

function names(node: Node): string[] {
  const own = node.type === "Identifier" ? [String(node["name"])] : [];
  // `each.name` names nothing but `each`; `{ name: 1 }` nothing at all.
  const unnamed =
    node["computed"] === false ? (node.type === "MemberExpression" ? node["property"] : node["key"]) : undefined;
  const shorthand = node["shorthand"] === true;
  return [...own, ...childrenOf(node).flatMap((child) => (child === unnamed && !shorthand ? [] : names(child)))];
}

/** Where a function that is kept uses what a loop around it takes apart. */
function offences(node: Node, bound: readonly string[], keeps: boolean): { at: number; name: string }[] {
  if (isFunction(node) && keeps) {
    const name = names(node).find((each) => bound.includes(each));
    if (name !== undefined) return [{ at: node.start, name }];
  }
  const inner = isFunction(node) ? [] : isLoop(node) ? [...bound, ...takenApart(node)] : bound;
  const callee = node.type === "CallExpression" ? (node["callee"] as Node) : undefined;
  const called = String(((callee?.["property"] ?? callee) as Node | undefined)?.["name"] ?? "");
  return childrenOf(node).flatMap((child) => offences(child, inner, !(callee !== undefined && AT_ONCE.has(called))));
}

function offencesIn(text: string): string[] {
  const { program, errors } = parseSync("source.ts", text);
  expect(errors).toEqual([]);
  const found = offences(program as unknown as Node, [], true);
  return found.map(({ at, name }) => `line ${text.slice(0, at).split("\n").length} uses ${name}`);
}

test.each([
  ["for (const { a } of list) undo.push(() => use(a));", 1],
  ["for (const [a] of list) { kept.push((x) => x + a); }", 1],
  ["for (const each of list) { const { a: b } = each; kept.push(() => b); }", 1],
  ["while (more()) { const [a = 1] = next(); const later = () => a; }", 1],
  ["for (const each of list) { const a = each.a; kept.push(() => a); }", 0],
  ["for (const { a } of list) { if (list.some((x) => x === a)) continue; use(a); }", 0],
  ["for (const { a } of list) undo.push(() => use(each.a, { a: 1 }));", 0],
  ["const { a } = all; for (const each of list) kept.push(() => a);", 0],
  ["list.map(({ a }) => () => a);", 0],
])("%s: %i", (text, count) => {
  expect(offencesIn(text)).toHaveLength(count);
});

test("no function that is kept uses what a loop takes apart", () => {
  const files = sourceFiles(["cmd", "plugins", "ipam", "pkg", "spec", "libcni"]);
  const found = files.flatMap((file) =>
    offencesIn(readFileSync(root + file, "utf8")).map((each) => `${file}, ${each}`),
  );
  expect(found, "take the value by its name: const a = each.a").toEqual([]);
});
