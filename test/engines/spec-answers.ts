/** What spec/ makes of one question, in words: asked of each engine, and of Node, which must all say the same. */
import { parseArgs } from "../../spec/args.ts";
import { parseResult, renderResult } from "../../spec/convert.ts";
import { CniError, messageOf } from "../../spec/errors.ts";
import { addressFormat, macFormat, prefixFormat } from "../../spec/formats.ts";
import { Keys } from "../../spec/keys.ts";
import { interfaceNameProblem, isIdentifier, pluginTypeProblem } from "../../spec/names.ts";
import { NetworkConfig } from "../../spec/network-config.ts";
import { Problems } from "../../spec/problems.ts";
import { suggest } from "../../spec/suggest.ts";
import { compareVersions } from "../../spec/versions.ts";

/** The answer to `<subject> <JSON>`, on one line. */
export function answer(line: string): string {
  const space = line.indexOf(" ");
  try {
    const question: unknown = JSON.parse(line.slice(space + 1));
    return answerTo(line.slice(0, space), question).join(" | ");
  } catch (error) {
    if (error instanceof Error) return error instanceof CniError ? `${error.code} ${error.words}` : error.message;
    return "no error";
  }
}

function answerTo(subject: string, question: unknown): string[] {
  switch (subject) {
    case "config":
      return config(question);
    case "network":
      return network(question);
    case "text":
      return text(typeof question === "string" ? question : "");
    default:
      return result(question, subject);
  }
}

/** `subject` is `<version>to<version>`. */
function result(question: unknown, subject: string): string[] {
  const versions = subject.split("to");
  const parsed = parseResult(question, versions[0] ?? "", "prevResult");
  return [
    renderResult(parsed, versions[1] ?? "")
      .split("\n")
      .join(""),
  ];
}

function network(question: unknown): string[] {
  const read = new NetworkConfig(JSON.stringify(question));
  const alive: string[] = [];
  for (const each of read.validAttachments ?? []) alive.push(`${each.containerID}/${each.ifname}`);
  return [read.name, read.cniVersion, read.validAttachments === undefined ? "none" : alive.join(",")];
}

function text(question: string): string[] {
  const answers = [
    isIdentifier(question) ? "identifier" : "",
    interfaceNameProblem(question) ?? "interface",
    pluginTypeProblem(question) ?? "plugin",
    addressFormat.parse(question)?.toString() ?? "",
    prefixFormat.parse(question)?.toString() ?? "",
    macFormat.parse(question) ?? "",
    suggest(question, ["isGateway", "mtu", "vlan", "vlanTrunk"]) ?? "",
  ];
  for (const attempt of [() => versionText(question), () => argsText(question)]) {
    try {
      answers.push(attempt());
    } catch (error) {
      answers.push(messageOf(error));
    }
  }
  return answers;
}

function versionText(question: string): string {
  return compareVersions(question, "1.0.0").toString();
}

function argsText(question: string): string {
  const args = parseArgs(question, ["MAC", "IP"]);
  return `${args.get("MAC") ?? "-"} ${args.get("IP") ?? "-"}`;
}

function config(question: unknown): string[] {
  const problems = new Problems(true);
  const keys = Keys.of(question, "", problems);
  const answers = readAll(keys);
  const unasked: string[] = [];
  for (const name of keys.unasked()) unasked.push(`${name}=${keys.meantBy(name) ?? ""}`);
  return [...answers, unasked.join(","), problems.found.join("; "), problems.shape.join("; ")];
}

/** Each way to ask for a key. */
export function readAll(keys: Keys): string[] {
  const address = keys.optional("address", addressFormat, "");
  const servers: string[] = [];
  for (const server of keys.formatted("servers", addressFormat, "")) servers.push(server.toString());
  const pairs: string[] = [];
  for (const pair of keys.textMembers("pairs", "")) pairs.push(`${pair[0]}=${pair[1]}`);
  const ranges: string[] = [];
  for (const range of keys.listOfLists("ranges", readSubnet, "")) ranges.push(range.join("+"));
  const table = keys.optionalInteger("table", "", 0, 4294967295);
  const snat = keys.optionalFlag("snat", "");
  return [
    keys.text("bridge", "cni0", ""),
    keys.optionalText("parent", "") ?? "-",
    keys.requiredText("master", ""),
    keys.flag("isGateway", false, "") ? "gateway" : "-",
    snat === undefined ? "-" : snat ? "snat" : "no snat",
    keys.integer("mtu", 1500, "").toString(),
    table === undefined ? "-" : table.toString(),
    keys.oneOf("mode", ["bridge", "vepa"], "bridge", ""),
    keys.optionalChoice("backend", ["nftables", "iptables"], "") ?? "-",
    address === undefined ? "-" : address.toString(),
    servers.join(","),
    keys.texts("search", "").join(","),
    pairs.join(","),
    keys.members("runtimeConfig", readMac, ""),
    (keys.optionalList("vlanTrunk", readVlan, "") ?? ["none"]).join(","),
    ranges.join(","),
    keys.anything("extra", "") === undefined ? "-" : "extra",
  ];
}

function readMac(keys: Keys): string {
  return keys.optional("mac", macFormat, "") ?? "-";
}

function readVlan(keys: Keys): string {
  return keys.integer("id", 0, "", 1, 4094).toString();
}

function readSubnet(keys: Keys): string {
  const subnet = keys.optional("subnet", prefixFormat, "");
  return subnet === undefined ? "-" : subnet.toString();
}
