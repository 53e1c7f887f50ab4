/** The schemas of the protocol's own documents: configurations, results, errors (SPEC sections 1 and 5). */
import { addressPattern, prefixPattern } from "../../spec/patterns.ts";
import { newestVersion, oldestVersion, specVersions } from "../../spec/versions.ts";
import type { Schema } from "./key-schema.ts";

export const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const versions = specVersions.map((version) => version.name);
const version: Schema = { enum: versions, description: "version of the CNI specification", examples: [newestVersion] };
const identifier: Schema = { type: "string", pattern: "^[a-zA-Z0-9][a-zA-Z0-9_.\\-]*$" };
const uint32: Schema = { type: "integer", minimum: 0, maximum: 4294967295 };

/** true and false, also spelt as strings: libcni takes both. */
const laxFlag = (description: string): Schema => ({
  description,
  anyOf: [{ type: "boolean" }, { type: "string", pattern: "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$" }],
  default: false,
});

function document(name: string, title: string, rest: Schema): Schema {
  return { $schema: DIALECT, $id: `${name}.schema.json`, title, ...rest };
}

/** A schema for what meets a condition. */
function when(condition: Schema, reference: string): Schema {
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  return { if: condition, then: { $ref: reference } };
}

const optionalTexts: Schema = { type: ["array", "null"], items: { type: "string" } };

/** What every plugin's configuration may hold, in a list or on a plugin's stdin. */
export const networkConfig: Schema = document("network-config", "CNI plugin configuration", {
  type: "object",
  properties: {
    cniVersion: { ...version, description: "set by the runtime from the list" },
    name: { ...identifier, description: "the network's name; set by the runtime from the list" },
    type: {
      type: "string",
      minLength: 1,
      pattern: "^[^/]*$",
      not: { enum: [".", ".."] },
      description: "the plugin: the name of an executable in CNI_PATH",
    },
    capabilities: {
      type: ["object", "null"],
      additionalProperties: { type: "boolean" },
      description: "what the runtime may pass in runtimeConfig",
    },
    ipMasq: { type: ["boolean", "null"], description: "masquerade what leaves the network" },
    ipam: {
      type: ["object", "null"],
      properties: { type: { type: ["string", "null"], description: "the IPAM plugin" } },
      description: "address management",
    },
    dns: {
      type: ["object", "null"],
      properties: {
        nameservers: optionalTexts,
        domain: { type: ["string", "null"] },
        search: optionalTexts,
        options: optionalTexts,
      },
      description: "name servers for the container",
    },
    args: { type: ["object", "null"], description: "what an orchestrator adds" },
    runtimeConfig: { type: ["object", "null"], description: "set by the runtime for declared capabilities" },
    prevResult: { type: ["object", "null"], description: "set by the runtime: the result of the plugin before" },
    "cni.dev/valid-attachments": {
      type: ["array", "null"],
      items: {
        type: "object",
        properties: { containerID: { type: "string", minLength: 1 }, ifname: { type: "string", minLength: 1 } },
        required: ["containerID", "ifname"],
      },
      description: "set by the runtime for GC: what is alive",
    },
  },
  required: ["type"],
});

/** A configuration list; the plugins that Ferrule has are checked by their own schemas, IPAM plugins where they are asked. */
export function networkConfigList(plugins: readonly string[], ipamPlugins: readonly string[]): Schema {
  const named = (name: string): Schema => ({ properties: { type: { const: name } }, required: ["type"] });
  const own = [
    ...plugins.map((name) => when(named(name), `${name}.schema.json`)),
    ...ipamPlugins.map((name) =>
      when({ properties: { ipam: named(name) }, required: ["ipam"] }, `${name}.schema.json`),
    ),
  ];
  return document("network-config-list", "CNI network configuration list", {
    type: "object",
    properties: {
      cniVersion: version,
      cniVersions: { type: "array", items: version, description: "all versions that this network may be used with" },
      name: { ...identifier, description: "unique on the host" },
      disableCheck: laxFlag("the runtime does not send CHECK"),
      disableGC: laxFlag("the runtime does not send GC"),
      loadOnlyInlinedPlugins: laxFlag("plugins are not also read from the directory named after the network"),
      plugins: {
        type: "array",
        minItems: 1,
        items: { allOf: [{ $ref: "network-config.schema.json" }, ...own] },
        description: "run in this order by ADD, in reverse by DEL",
      },
    },
    required: ["name"],
    anyOf: [{ required: ["plugins"] }, { properties: { loadOnlyInlinedPlugins: { not: { const: true } } } }],
  });
}

const address: Schema = { type: "string", pattern: addressPattern() };
const prefix: Schema = { type: "string", pattern: prefixPattern() };
const texts: Schema = { type: "array", items: { type: "string" } };
const list = (items: Schema): Schema => ({ type: "array", items });
const object = (properties: Schema, required: readonly string[] = []): Schema =>
  required.length > 0 ? { type: "object", properties, required } : { type: "object", properties };

const route = {
  dst: prefix,
  gw: address,
  mtu: uint32,
  advmss: uint32,
  priority: uint32,
  table: uint32,
  scope: { type: "integer", minimum: 0, maximum: 255, description: "0 global, 253 link, 254 host" },
};
const link = { name: { type: "string" }, mac: { type: "string" }, sandbox: { type: "string" } };
const newerLink = { ...link, mtu: uint32, socketPath: { type: "string" }, pciID: { type: "string" } };
const ip = {
  address: prefix,
  gateway: address,
  interface: { type: "integer", minimum: 0, description: "index into interfaces" },
};
const ip020 = { $ref: "#/$defs/ip020" };
const dns = { $ref: "#/$defs/dns" };
const routes = list({ $ref: "#/$defs/route" });

const choices: readonly Schema[] = ["020", "040", "100"].map((shape) => {
  const names = specVersions.filter((each) => each.shape === shape).map((each) => each.name);
  // A result without cniVersion is of the oldest, which `properties` lets pass.
  const required = names.includes(oldestVersion) ? [] : ["cniVersion"];
  return when({ properties: { cniVersion: { enum: names } }, required }, `#/$defs/result${shape}`);
});

/** What ADD prints, in the shape that its cniVersion says. */
export const result: Schema = document("result", "CNI result", {
  type: "object",
  properties: { cniVersion: version },
  allOf: choices,
  $defs: {
    dns: object({ nameservers: texts, domain: { type: "string" }, search: texts, options: texts }),
    route: object(route, ["dst"]),
    ip020: object({ ip: prefix, gateway: address, routes: list(object({ dst: prefix, gw: address }, ["dst"])) }, [
      "ip",
    ]),
    result020: { ...object({ ip4: ip020, ip6: ip020, dns }), anyOf: [{ required: ["ip4"] }, { required: ["ip6"] }] },
    result040: object({
      interfaces: list(object(link, ["name"])),
      ips: list(object({ version: { enum: ["4", "6"] }, ...ip }, ["version", "address"])),
      routes,
      dns,
    }),
    result100: object({
      interfaces: list(object(newerLink, ["name"])),
      ips: list(object(ip, ["address"])),
      routes,
      dns,
    }),
  },
});

/** What a plugin prints when it fails. */
export const error: Schema = document("error", "CNI error", {
  type: "object",
  properties: {
    cniVersion: version,
    code: { ...uint32, description: "0-99 are the specification's, 100 and above the plugin's" },
    msg: { type: "string", minLength: 1 },
    details: { type: "string", description: "what to do next" },
  },
  required: ["cniVersion", "code", "msg"],
});
