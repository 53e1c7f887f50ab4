/** The schemas say what the parsers do: configurations both ways, and what we print. */
import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownPlugins, root, schemaFiles } from "../../scripts/schemas/documents.ts";
import { schemaOfKeys } from "../../scripts/schemas/key-schema.ts";
import { renderResult } from "../../spec/convert.ts";
import { CniError, renderError } from "../../spec/errors.ts";
import { addressFormat, macFormat, prefixFormat } from "../../spec/formats.ts";
import { Keys } from "../../spec/keys.ts";
import { Problems } from "../../spec/problems.ts";
import { specVersions } from "../../spec/versions.ts";
import { anyConfig } from "../helpers/arbitrary-config.ts";
import { anyResult } from "../helpers/arbitrary-result.ts";

const files = schemaFiles();
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
for (const schema of files.values()) ajv.addSchema(schema);

function validatorOf(name: string): ValidateFunction {
  const validate = ajv.getSchema(name);
  if (validate === undefined) throw new Error(`schemas/${name} is not generated`);
  return validate;
}

describe("the committed schemas", () => {
  test("are those that the plugins' keys make", () => {
    const names = readdirSync(`${root}schemas`).toSorted();
    expect(names, "files are missing or left over: run npm run schemas").toEqual([...files.keys()].toSorted());
    for (const [name, schema] of files) {
      const committed = JSON.parse(readFileSync(`${root}schemas/${name}`, "utf8")) as unknown;
      expect(committed, `schemas/${name} is stale: run npm run schemas`).toEqual(JSON.parse(JSON.stringify(schema)));
    }
  });
});

/** Each way to ask for a key, required ones too. */
const everything = (keys: Keys): void => {
  keys.text("text", "x", "");
  keys.optionalText("optionalText", "");
  keys.flag("flag", false, "");
  keys.optionalFlag("optionalFlag", "");
  keys.integer("integer", 7, "");
  keys.optionalInteger("limited", "", -1, 4094);
  keys.oneOf("choice", ["a", "b"], "a", "");
  keys.optionalChoice("optionalChoice", ["a", "b"], "");
  keys.optional("address", addressFormat, "");
  keys.formatted("prefixes", prefixFormat, "");
  keys.texts("texts", "");
  keys.textMembers("pairs", "");
  keys.members("runtime", (inner: Keys) => inner.optional("mac", macFormat, ""), "");
  keys.members("runtime", (inner: Keys) => inner.texts("ips", ""), "");
  keys.list("list", (inner: Keys) => inner.integer("id", 0, "", 1, 4094), "");
  keys.list("needy", (inner: Keys) => inner.requiredText("name", ""), "");
  keys.listOfLists("ranges", (inner: Keys) => inner.optional("subnet", prefixFormat, ""), "");
  keys.anything("anything", "");
};
const needy = (keys: Keys): void => {
  everything(keys);
  keys.requiredText("required", "");
  keys.members("outer", (inner: Keys) => inner.requiredText("type", ""), "");
};

describe("a schema accepts just what the parser accepts", () => {
  test.each([
    ["optional", everything],
    ["optional and required", needy],
  ])("keys of every kind, %s", (_, read) => {
    const described = new Keys(undefined, "", new Problems(true));
    read(described);
    const validate = ajv.compile({ type: "object", ...schemaOfKeys(described.describe()) });
    const parse = (config: unknown): readonly string[] => {
      const problems = new Problems(true);
      read(Keys.of(config, "", problems));
      return problems.shape;
    };
    expectAgreement(described, validate, parse);
  });

  test.each(ownPlugins().map((plugin) => [plugin.type, plugin] as const))("configurations of %s", (name, plugin) => {
    const validate = validatorOf(`${name}.schema.json`);
    const named = (config: unknown): unknown => ({ ...(config as object), type: name });
    const check = Object.assign((config: unknown): boolean => validate(named(config)), { errors: null });
    expectAgreement(plugin, check as unknown as ValidateFunction, (config) => plugin.examine(named(config)).shape);
  });

  test.each(ownPlugins().map((plugin) => [plugin.type, plugin] as const))(
    "%s reads every good configuration without a problem of shape",
    (name, plugin) => {
      fc.assert(
        fc.property(anyConfig(plugin.describe(), 0), (config) => {
          expect(plugin.examine({ ...config, type: name }).shape).toEqual([]);
        }),
      );
    },
  );
});

interface Described {
  readonly describe: () => Parameters<typeof anyConfig>[0];
}

function expectAgreement(
  described: Described,
  validate: ValidateFunction,
  problems: (config: unknown) => readonly string[],
): void {
  const config = fc.oneof(anyConfig(described.describe(), 8), anyConfig(described.describe(), 0));
  fc.assert(
    fc.property(config, (each) => {
      const accepted = validate(each);
      const found = problems(each);
      expect({ accepted, found, errors: accepted ? null : ajv.errorsText(validate.errors) }).toMatchObject({
        accepted: found.length === 0,
      });
    }),
    { numRuns: 300 },
  );
}

describe("what we print is what the schemas say", () => {
  const validResult = validatorOf("result.schema.json");

  test.each(specVersions.map((version) => version.name))("results of %s", (version) => {
    fc.assert(
      fc.property(anyResult, (result) => {
        fc.pre(result.ips.length > 0);
        expect(validResult(JSON.parse(renderResult(result, version))), ajv.errorsText(validResult.errors)).toBe(true);
      }),
    );
  });

  test("errors", () => {
    const valid = validatorOf("error.schema.json");
    const error = fc.tuple(fc.nat(999), fc.string({ minLength: 1 }), fc.string());
    fc.assert(
      fc.property(error, ([code, message, details]) => {
        const printed = JSON.parse(renderError(new CniError(code, message, details), "1.1.0")) as unknown;
        expect(valid(printed), ajv.errorsText(valid.errors)).toBe(true);
      }),
    );
  });
});

describe("documents that are not of their kind", () => {
  const address = { address: "10.0.0.2/24" };
  test.each([
    ["result", { cniVersion: "2.0.0" }],
    ["result", { cniVersion: "0.2.0", dns: {} }],
    ["result", { ips: [address] }],
    ["result", { cniVersion: "0.4.0", ips: [address] }],
    ["result", { cniVersion: "0.4.0", ips: [{ ...address, version: 4 }] }],
    ["result", { cniVersion: "1.0.0", ips: [{ address: "10.0.0.2" }] }],
    ["result", { cniVersion: "1.1.0", ips: [{ ...address, interface: "0" }] }],
    ["result", { cniVersion: "1.1.0", routes: [{ gw: "10.0.0.1" }] }],
    ["error", { code: 7, msg: "x" }],
    ["error", { cniVersion: "1.0.0", code: -1, msg: "x" }],
    ["network-config", { name: "a" }],
    ["network-config", { type: "../sh" }],
    ["network-config", { type: "x", name: "a/b" }],
    ["network-config", { type: "x", capabilities: { mac: "true" } }],
    ["network-config-list", { name: "a" }, { loadOnlyInlinedPlugins: true }],
    ["network-config-list", { name: "a", plugins: [] }],
    ["network-config-list", { name: "a", plugins: [{}] }],
    ["network-config-list", { plugins: [{ type: "x" }] }],
    ["network-config-list", { name: "a", cniVersion: "1.2.0", plugins: [{ type: "x" }] }],
    ["network-config-list", { name: "a", disableCheck: "yes", plugins: [{ type: "x" }] }],
  ])("%s: %j", (kind, document, more: object = {}) => {
    expect(validatorOf(`${kind}.schema.json`)({ ...document, ...more })).toBe(false);
  });

  test.runIf(files.has("bridge.schema.json") && files.has("host-local.schema.json"))(
    "the keys of our own plugins are checked inside a list, those of the IPAM plugin too",
    () => {
      const valid = validatorOf("network-config-list.schema.json");
      const list = (bridge: object, ipam: object): boolean =>
        valid({ name: "a", plugins: [{ type: "bridge", ...bridge, ipam: { type: "host-local", ...ipam } }] });
      expect(list({ vlan: 100 }, { ranges: [[{ subnet: "10.1.0.0/16" }]] }), ajv.errorsText(valid.errors)).toBe(true);
      expect(list({ vlan: 4095 }, {})).toBe(false);
      expect(list({ isGateway: "true" }, {})).toBe(false);
      expect(list({}, { ranges: [[{ subnet: "10.1.0.0" }]] })).toBe(false);
    },
  );

  test("a list with what runtimes write is of its kind", () => {
    const list = {
      cniVersion: "1.1.0",
      cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
      name: "mynet",
      disableCheck: "TRUE",
      disableGC: false,
      plugins: [{ type: "loopback" }, { type: "somebody-elses", capabilities: { mac: true }, ownKey: 1 }],
    };
    const valid = validatorOf("network-config-list.schema.json");
    expect(valid(list), ajv.errorsText(valid.errors)).toBe(true);
    expect(valid({ name: "mynet", plugins: [{ type: "x" }] })).toBe(true);
    expect(valid({ name: "mynet" })).toBe(true);
  });
});
