/** Configurations of any content made from the keys a plugin describes: good values, and now and then something else. */
import fc from "fast-check";
import type { KeyDescription } from "../../spec/key-description.ts";

/** How often a value is not what the key wants, out of 100. */
export type Mischief = 0 | 8;

const rubbish = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    "",
    "x",
    "10.0.0.1",
    true,
    0,
    -1,
    1.5,
    65536,
    5e9,
    [],
    {},
    [""],
    [[]],
    [null],
    [1],
    [{}],
  ),
  fc.string({ maxLength: 6 }),
  fc.integer(),
);

/** An object with some of the keys (all that are required, when there is no mischief). */
export function anyConfig(keys: readonly KeyDescription[], mischief: Mischief): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.fromEntries(keys.map((key) => [key.name, anyValue(key, mischief)]));
  const requiredKeys = mischief === 0 ? keys.filter((key) => key.required).map((key) => key.name) : [];
  return fc.record(members, { requiredKeys });
}

function anyValue(key: KeyDescription, mischief: Mischief): fc.Arbitrary<unknown> {
  const good = { weight: 100 - mischief, arbitrary: goodValue(key, mischief) };
  const absent = { weight: key.required ? 0 : 3, arbitrary: fc.constant<unknown>(null) };
  return fc.oneof(good, absent, { weight: mischief, arbitrary: rubbish });
}

function goodValue(key: KeyDescription, mischief: Mischief): fc.Arbitrary<unknown> {
  switch (key.kind) {
    case "any":
      return fc.jsonValue();
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: key.range[0] ?? 0, max: key.range[1] ?? 0 });
    case "string":
      return key.choices.length > 0 ? fc.constantFrom(...key.choices) : goodText(key);
    case "object":
      if (key.items !== "string") return anyConfig(key.members, mischief);
      return fc.dictionary(fc.string({ maxLength: 5 }), fc.string(), { maxKeys: 2 });
    case "array":
      return fc.array(goodItem(key, mischief), { maxLength: 3 });
  }
}

function goodItem(key: KeyDescription, mischief: Mischief): fc.Arbitrary<unknown> {
  const object = anyConfig(key.members, mischief);
  if (key.items === "string") return goodText(key);
  return key.items === "array" ? fc.array(object, { maxLength: 2 }) : object;
}

function goodText(key: KeyDescription): fc.Arbitrary<string> {
  if (key.pattern() !== "") return matching(key.pattern());
  return fc.string({ minLength: 1, maxLength: 8 });
}

/** Made once for each pattern: reading a long one takes fast-check a while. */
const matches = new Map<string, fc.Arbitrary<string>>();

function matching(pattern: string): fc.Arbitrary<string> {
  const made = matches.get(pattern) ?? fc.stringMatching(new RegExp(pattern));
  matches.set(pattern, made);
  return made;
}
