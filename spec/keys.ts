/**
 * Configuration as data: a plugin reads each key once, with its name, default and meaning, and from that one line follow
 * the value's type, the code-7 error with the key's path, the JSON Schema and the README's table.
 */
import { CniError, ErrorCode } from "./errors.ts";
import { JsonObject, kindOf } from "./json.ts";
import { describeKey, type KeyDescription, type KeyExtras, type KeyKind } from "./key-description.ts";
import { Problems } from "./problems.ts";
import { suggest } from "./suggest.ts";

/** A text format: how to read a string into a value, and how to say what was expected. */
export interface Format<T> {
  readonly parse: (text: string) => T | undefined;
  /** "an IP address": completes "expected …". */
  readonly expected: string;
  /** A regular expression that matches just these texts, for schemas; empty when there is none. */
  readonly pattern: () => string;
}

/** One JSON object of a configuration, being read key by key. */
export class Keys {
  private readonly object: JsonObject | undefined;
  private readonly path: string;
  private readonly problems: Problems;
  private readonly asked: KeyDescription[] = [];

  /** `path` leads error messages (`ipam.ranges[0]`); an `object` that is not there reads as an empty one. */
  constructor(object: JsonObject | undefined, path: string, problems: Problems) {
    this.object = object;
    this.path = path;
    this.problems = problems;
  }

  /** The keys of a value that should be an object; one that is not is a problem, and reads as an empty one. */
  static of(value: unknown, path: string, problems: Problems): Keys {
    const object = JsonObject.of(value);
    const keys = new Keys(object, path, problems);
    if (object === undefined && value !== undefined) {
      keys.misshapen(`expected an object, found ${kindOf(value)}`, "", "write its members between { and }");
    }
    return keys;
  }

  /**
   * Reports that the object, or the key `name` in it, cannot be used. Without other `details` the key's meaning goes with it. Throws
   * (code 7) unless problems are collected.
   */
  refuse(reason: string, name = "", details = ""): void {
    this.problems.report(this.located(reason, name), details === "" ? this.meaningOf(name) : details);
  }

  /** The same for what a schema sees as well. */
  private misshapen(reason: string, name = "", details = ""): void {
    this.problems.misshapen(this.located(reason, name), details === "" ? this.meaningOf(name) : details);
  }

  /** What a key is for, as it was asked for; also of a member or element of it. Empty for other names. */
  private meaningOf(name: string): string {
    const whole = name.split("[")[0]?.split(".")[0] ?? "";
    const key = this.asked.find((each) => each.name === whole);
    return key === undefined ? "" : `${whole}: ${key.meaning}`;
  }

  private located(reason: string, name: string): string {
    const where = name === "" ? this.path : this.at(name);
    return where === "" ? reason : `${where}: ${reason}`;
  }

  /** Whether the key is there and not null. */
  has(name: string): boolean {
    return this.object?.get(name) !== undefined;
  }

  text(name: string, fallback: string, meaning: string): string {
    this.note(name, "string", meaning, { fallback: JSON.stringify(fallback) });
    return this.readText(name) ?? fallback;
  }

  optionalText(name: string, meaning: string): string | undefined {
    this.note(name, "string", meaning, {});
    return this.readText(name);
  }

  /** A string that must be there and not empty. */
  requiredText(name: string, meaning: string): string {
    this.note(name, "string", meaning, { required: true });
    const text = this.readText(name) ?? "";
    if (text === "") this.misshapen("missing: a value is required", name, meaning);
    return text;
  }

  flag(name: string, fallback: boolean, meaning: string): boolean {
    return this.optionalFlag(name, meaning, fallback ? "true" : "false") ?? fallback;
  }

  optionalFlag(name: string, meaning: string, fallback = ""): boolean | undefined {
    this.note(name, "boolean", meaning, { fallback });
    const value = this.object?.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "boolean") return value;
    this.expected(name, "true or false", value);
    return undefined;
  }

  /** An integer between `low` and `high`. */
  integer(name: string, fallback: number, meaning: string, low = -2147483648, high = 4294967295): number {
    return this.optionalInteger(name, meaning, low, high, fallback.toString()) ?? fallback;
  }

  optionalInteger(
    name: string,
    meaning: string,
    low = -2147483648,
    high = 4294967295,
    fallback = "",
  ): number | undefined {
    this.note(name, "integer", meaning, { fallback, range: [low, high] });
    const value = this.object?.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value)) {
      this.expected(name, "an integer", value);
      return undefined;
    }
    if (value >= low && value <= high) return value;
    this.misshapen(`${value} is out of range: must be between ${low} and ${high}`, name);
    return undefined;
  }

  /** One of the given words. */
  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T, meaning: string): T {
    return this.optionalChoice(name, choices, meaning, JSON.stringify(fallback)) ?? fallback;
  }

  optionalChoice<T extends string>(name: string, choices: readonly T[], meaning: string, fallback = ""): T | undefined {
    const words: string[] = [];
    for (const choice of choices) words.push(choice);
    this.note(name, "string", meaning, { fallback, choices: words });
    const text = this.readText(name);
    if (text === undefined || text === "") return undefined;
    for (const choice of choices) if (choice === text) return choice;
    this.misshapen(`"${text}" is not one of ${words.join(", ")}`, name);
    return undefined;
  }

  /** A string in a format; empty counts as absent, as in the reference. */
  optional<T>(name: string, format: Format<T>, meaning: string): T | undefined {
    this.note(name, "string", meaning, { pattern: format.pattern });
    const text = this.readText(name);
    if (text === undefined || text === "") return undefined;
    const value = format.parse(text);
    if (value === undefined) this.misshapen(`expected ${format.expected}, found "${text}"`, name);
    return value;
  }

  /** A list of strings in a format. */
  formatted<T>(name: string, format: Format<T>, meaning: string): T[] {
    this.note(name, "array", meaning, { items: "string", pattern: format.pattern });
    const values: T[] = [];
    for (const [index, text] of this.readTexts(name).entries()) {
      const value = format.parse(text);
      if (value === undefined) this.misshapen(`expected ${format.expected}, found "${text}"`, `${name}[${index}]`);
      else values.push(value);
    }
    return values;
  }

  texts(name: string, meaning: string): string[] {
    this.note(name, "array", meaning, { items: "string" });
    return this.readTexts(name);
  }

  /** The members of an object whose values are strings, in the document's order and spelling. */
  textMembers(name: string, meaning: string): (readonly [string, string])[] {
    this.note(name, "object", meaning, { items: "string" });
    const value = this.object?.get(name);
    const pairs: (readonly [string, string])[] = [];
    if (value === undefined) return pairs;
    const object = JsonObject.of(value);
    if (object === undefined) {
      this.expected(name, "an object of strings", value);
      return pairs;
    }
    for (const key of object.keys()) {
      const member = object.get(key);
      if (typeof member === "string") pairs.push([key, member]);
      else this.expected(`${name}.${key}`, "a string", member);
    }
    return pairs;
  }

  /** An object with keys of its own; when absent its keys have their defaults. */
  members<T>(name: string, shape: (keys: Keys) => T, meaning: string): T {
    const keys = Keys.of(this.object?.get(name), this.at(name), this.problems);
    const value = shape(keys);
    const members = keys.describe();
    this.note(name, "object", meaning, { members, required: members.some((key) => key.required) });
    return value;
  }

  /** A list of objects with keys of their own; `undefined` when absent. */
  optionalList<T>(name: string, shape: (keys: Keys) => T, meaning: string): T[] | undefined {
    const example = new Keys(undefined, this.at(name), new Problems(true));
    shape(example);
    this.note(name, "array", meaning, { items: "object", members: example.describe() });
    const value = this.object?.get(name);
    if (value === undefined) return undefined;
    const items: T[] = [];
    if (!Array.isArray(value)) {
      this.expected(name, "a list", value);
      return items;
    }
    for (const item of value as unknown[]) {
      items.push(shape(Keys.of(item ?? {}, `${this.at(name)}[${items.length}]`, this.problems)));
    }
    return items;
  }

  list<T>(name: string, shape: (keys: Keys) => T, meaning: string): T[] {
    return this.optionalList(name, shape, meaning) ?? [];
  }

  /** A list of lists of objects (host-local's range sets). */
  listOfLists<T>(name: string, shape: (keys: Keys) => T, meaning: string): T[][] {
    const example = new Keys(undefined, this.at(name), new Problems(true));
    shape(example);
    this.note(name, "array", meaning, { items: "array", members: example.describe() });
    const value = this.object?.get(name);
    const lists: T[][] = [];
    if (value === undefined) return lists;
    if (!Array.isArray(value)) {
      this.expected(name, "a list of lists", value);
      return lists;
    }
    for (const inner of value as unknown[]) {
      const path = `${name}[${lists.length}]`;
      const items: T[] = [];
      if (inner !== null && !Array.isArray(inner)) this.expected(path, "a list", inner);
      for (const item of Array.isArray(inner) ? (inner as unknown[]) : []) {
        items.push(shape(Keys.of(item ?? {}, `${this.at(path)}[${items.length}]`, this.problems)));
      }
      lists.push(items);
    }
    return lists;
  }

  /** A member that is not looked into. */
  anything(name: string, meaning: string): unknown {
    this.note(name, "any", meaning, {});
    return this.object?.get(name);
  }

  /** The keys asked for so far, in order. */
  describe(): readonly KeyDescription[] {
    return this.asked;
  }

  /** Keys of the document that nobody asked for: misspelt, or meant for somebody else. */
  unasked(): string[] {
    const names: string[] = [];
    for (const name of this.object?.keys() ?? []) {
      const lower = name.toLowerCase();
      if (!this.asked.some((key) => key.name.toLowerCase() === lower)) names.push(name);
    }
    return names;
  }

  /** The key that an unasked one probably means, or `undefined`. */
  meantBy(unasked: string): string | undefined {
    const names: string[] = [];
    for (const key of this.asked) names.push(key.name);
    return suggest(unasked, names);
  }

  private at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  private expected(name: string, wanted: string, found: unknown): void {
    this.misshapen(`expected ${wanted}, found ${kindOf(found)}`, name);
  }

  private readText(name: string): string | undefined {
    const value = this.object?.get(name);
    if (value === undefined) return undefined;
    if (typeof value === "string") return value;
    this.expected(name, "a string", value);
    return undefined;
  }

  private readTexts(name: string): string[] {
    const value = this.object?.get(name);
    const texts: string[] = [];
    if (value === undefined) return texts;
    if (!Array.isArray(value)) {
      this.expected(name, "a list of strings", value);
      return texts;
    }
    for (const item of value as unknown[]) {
      if (typeof item === "string") texts.push(item);
      else this.expected(`${name}[${texts.length}]`, "a string", item);
    }
    return texts;
  }

  private note(name: string, kind: KeyKind, meaning: string, extras: KeyExtras): void {
    this.asked.push(describeKey(name, kind, meaning, extras));
  }
}

/** An error for a configuration that reads well and cannot be served by this kernel or host. */
export function unsupportedField(key: string, value: string, reason: string): CniError {
  return new CniError(ErrorCode.UnsupportedField, `${key}: ${value} cannot be served: ${reason}`);
}
