/** The keys that every plugin with IPAM reads: `ipam.type` and `dns`. */
import type { Keys } from "../../spec/keys.ts";
import type { Dns, Result } from "../../spec/result.ts";

/** The IPAM plugin's name; empty when there is none. */
export function readIpamType(keys: Keys, meaning: string): string {
  return keys.members("ipam", (ipam: Keys): string => ipam.text("type", "", "the IPAM plugin"), meaning);
}

/** The configuration's own dns, and whether it replaces the IPAM plugin's. */
export interface DnsConfig {
  readonly dns: Dns;
  readonly overrides: boolean;
}

/** A list that is there overrides even when it is empty, as in the reference. */
export function readDns(keys: Keys): DnsConfig {
  return keys.members("dns", readDnsKeys, "name servers for the container; any key of it replaces all that IPAM says");
}

function readDnsKeys(keys: Keys): DnsConfig {
  const dns: Dns = {
    nameservers: keys.texts("nameservers", "addresses of name servers"),
    domain: keys.text("domain", "", "local domain"),
    search: keys.texts("search", "domains to search"),
    options: keys.texts("options", "resolver options"),
  };
  const overrides = keys.has("nameservers") || keys.has("search") || keys.has("options") || dns.domain !== "";
  return { dns, overrides };
}

/** The result with the configuration's dns where that overrides. */
export function withDns(result: Result, config: DnsConfig): Result {
  return config.overrides ? { ...result, dns: config.dns } : result;
}
