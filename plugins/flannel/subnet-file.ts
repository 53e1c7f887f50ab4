/** The file in which flanneld says what it has for this node: lines of KEY=VALUE, as a shell would read them. */
import { readFileSync } from "node:fs";
import type { Family } from "../../pkg/ip/address.ts";
import { Prefix } from "../../pkg/ip/prefix.ts";
import { isFileError } from "../../pkg/linux/errno.ts";
import { ETH_MAX_MTU } from "../../pkg/netlink/headers/if-ether.ts";
import { CniError, messageOf } from "../../spec/errors.ts";

export interface Subnet {
  /** All nodes' containers, IPv4 first. */
  readonly networks: readonly Prefix[];
  /** This node's containers, IPv4 first. */
  readonly subnets: readonly Prefix[];
  /** Bytes. */
  readonly mtu: number;
  /** flanneld masquerades itself, so that nobody else should. */
  readonly masquerades: boolean;
}

const WRITER = "flanneld writes this file when it has a subnet for the node; look at the flannel pod of this node";

/** @throws CniError with `code` when the file is missing, cannot be read, or does not say all */
export function readSubnetFile(path: string, code: number): Subnet {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = isFileError(error, "ENOENT") ? `${path} is not there` : messageOf(error);
    throw failure(code, reason);
  }
  return parseSubnetFile(text, path, code);
}

function failure(code: number, reason: string): CniError {
  return new CniError(
    code,
    `failed to load flannel 'subnet.env' file: ${reason}`,
    `${WRITER} (kubectl --namespace kube-flannel logs POD), or correct subnetFile`,
  );
}

/** @throws CniError with `code` naming the line, or what is missing */
export function parseSubnetFile(text: string, path: string, code: number): Subnet {
  const fields = new Fields();
  for (const [index, line] of text.split("\n").entries()) {
    const problem = fields.take(line.trim());
    if (problem !== "") throw failure(code, `${path}, line ${index + 1}: ${problem}`);
  }
  const { networks4, networks6, subnet4, subnet6, mtu, masquerades } = fields;
  const missing: string[] = [];
  if (networks4.length === 0 && networks6.length === 0) missing.push("FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK");
  if (subnet4.length === 0 && subnet6.length === 0) missing.push("FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET");
  if (mtu === undefined) missing.push("FLANNEL_MTU");
  if (masquerades === undefined) missing.push("FLANNEL_IPMASQ");
  if (mtu === undefined || masquerades === undefined || missing.length > 0) {
    throw failure(code, `${path} is missing ${missing.join(", ")}`);
  }
  return { networks: [...networks4, ...networks6], subnets: [...subnet4, ...subnet6], mtu, masquerades };
}

/** What the lines have said so far; of two lines the later one counts. */
class Fields {
  networks4: readonly Prefix[] = [];
  networks6: readonly Prefix[] = [];
  subnet4: readonly Prefix[] = [];
  subnet6: readonly Prefix[] = [];
  mtu: number | undefined = undefined;
  masquerades: boolean | undefined = undefined;

  /** What is wrong with a line; empty when nothing is, as with empty lines, comments and keys of others. */
  take(line: string): string {
    const assignment = line.startsWith("export ") ? line.slice("export ".length).trim() : line;
    const end = assignment.search(/[^A-Z0-9_]/);
    const name = end < 0 ? assignment : assignment.slice(0, end);
    const rest = assignment.slice(name.length).trim();
    const value = unquoted(rest.slice(1).trim());
    switch (name) {
      case "FLANNEL_NETWORK":
      case "FLANNEL_IPV6_NETWORK":
      case "FLANNEL_SUBNET":
      case "FLANNEL_IPV6_SUBNET":
      case "FLANNEL_MTU":
      case "FLANNEL_IPMASQ":
        if (!rest.startsWith("=")) return `${name} has no value: expected ${name}=VALUE`;
        return value === "" ? "" : this.set(name, value);
      default:
        return "";
    }
  }

  private set(name: string, value: string): string {
    if (name === "FLANNEL_IPMASQ") {
      this.masquerades = value === "true";
      return "";
    }
    if (name === "FLANNEL_MTU") {
      if (!/^[0-9]{1,5}$/.test(value) || Number(value) > ETH_MAX_MTU)
        return `${name}: expected bytes, found "${value}"`;
      this.mtu = Number(value);
      return "";
    }
    const family: Family = name.includes("IPV6") ? 6 : 4;
    const prefixes = prefixesOf(value, family);
    if (prefixes === undefined)
      return `${name}: expected an IPv${family} prefix such as ${exampleOf(family)}, found "${value}"`;
    if (name === "FLANNEL_NETWORK") this.networks4 = prefixes;
    else if (name === "FLANNEL_IPV6_NETWORK") this.networks6 = prefixes;
    else if (prefixes.length > 1) return `${name}: expected one prefix, found "${value}"`;
    else if (name === "FLANNEL_SUBNET") this.subnet4 = prefixes;
    else this.subnet6 = prefixes;
    return "";
  }
}

function exampleOf(family: Family): string {
  return family === 4 ? "10.244.0.0/16" : "fd00:10:244::/56";
}

function unquoted(value: string): string {
  const quote = value.slice(0, 1);
  const isQuoted = value.length > 1 && (quote === '"' || quote === "'") && value.endsWith(quote);
  return isQuoted ? value.slice(1, -1) : value;
}

/** Each once, without host bits; `undefined` when one is no prefix of that family. */
function prefixesOf(value: string, family: Family): Prefix[] | undefined {
  const found: Prefix[] = [];
  for (const text of value.split(",")) {
    const prefix = Prefix.parse(text.trim())?.masked;
    if (prefix === undefined || prefix.family !== family) return undefined;
    if (!found.some((each) => each.equals(prefix))) found.push(prefix);
  }
  return found;
}
