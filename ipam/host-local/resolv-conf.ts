/** Reads resolv.conf(5) into the result's dns. Pure. */
import type { Dns } from "../../spec/result.ts";

/**
 * As the resolver reads it: name servers and options add up, the last `search` line wins, and so does the last `domain`.
 * Comments, unknown keywords and keywords without a value are passed over.
 */
export function parseResolvConf(text: string): Dns {
  const options: string[] = [];
  for (const values of linesOf(text, "options")) for (const option of values) options.push(option);
  return {
    nameservers: firstsOf(text, "nameserver"),
    domain: firstsOf(text, "domain").at(-1) ?? "",
    search: linesOf(text, "search").at(-1) ?? [],
    options,
  };
}

/** The first value of each line with the keyword. */
function firstsOf(text: string, keyword: string): string[] {
  const firsts: string[] = [];
  for (const values of linesOf(text, keyword)) firsts.push(values.at(0) ?? "");
  return firsts;
}

/** The values of each line with the keyword, where it has any. */
function linesOf(text: string, keyword: string): string[][] {
  const found: string[][] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words.at(0) === keyword && words.length > 1) found.push(words.slice(1));
  }
  return found;
}
