/** Reads resolv.conf(5) into the result's dns. Pure. */
import type { Dns } from "../../spec/result.ts";

/**
 * As the resolver reads it: name servers and options add up, the last `search` line wins, and so does the last `domain`.
 * Comments, unknown keywords and keywords without a value are passed over.
 */
export function parseResolvConf(text: string): Dns {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: string[] = [];
  let domain = "";
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (trimmed.startsWith("#") || trimmed.startsWith(";")) continue;
    const words = trimmed.split(/\s+/);
    const values = words.slice(1);
    const first = values.at(0);
    if (first === undefined) continue;
    switch (words.at(0) ?? "") {
      case "nameserver":
        nameservers.push(first);
        break;
      case "domain":
        domain = first;
        break;
      case "search":
        search = values;
        break;
      case "options":
        for (const option of values) options.push(option);
        break;
      default:
        break;
    }
  }
  return { nameservers, domain, search, options };
}
