/** Rules as lines of iptables-restore's input. Source: iptables-restore(8); its reader splits at blanks outside of double quotes. */

/** What iptables-save prints without quotes. */
const PLAIN = /^[A-Za-z0-9_.,:/=!@%+[\]-]+$/;

/** The words as one line, each quoted where it must be. @throws RangeError when a word holds a control character */
export function ruleLine(words: readonly string[]): string {
  return words.map((word: string): string => quoted(word)).join(" ");
}

function quoted(word: string): string {
  if (PLAIN.test(word)) return word;
  let text = "";
  for (const character of word) {
    if (character < " ") throw new RangeError(`"${word}" holds a control character, which no rule can carry`);
    text += character === '"' || character === "\\" ? `\\${character}` : character;
  }
  return `"${text}"`;
}

/** What the kernel keeps of a comment. Source: linux/netfilter/xt_comment.h, XT_MAX_COMMENT_LEN with its NUL */
export const LONGEST_COMMENT = 255;

/** The words of `-m comment`, cut as iptables cuts them, without a word: what it prints is compared with. */
export function commentWords(comment: string): string[] {
  return ["-m", "comment", "--comment", comment.slice(0, LONGEST_COMMENT)];
}

/** The chains, of those whose names begin with `prefix`, that rules with a comment beginning with these words are in or jump to. */
export function chainsWithComment(saved: readonly string[], beginning: string, prefix: string): string[] {
  const text = quoted(beginning).slice(0, -1);
  const found: string[] = [];
  for (const line of saved) {
    if (!line.includes(` --comment ${text}`)) continue;
    for (const chain of [line.split(" ").at(1) ?? "", jumpTarget(line)]) {
      if (chain.startsWith(prefix) && !found.includes(chain)) found.push(chain);
    }
  }
  return found;
}

/** Whether a table as iptables-save prints it has the chain. */
export function hasChain(saved: readonly string[], chain: string): boolean {
  return saved.some((line) => line.startsWith(`:${chain} `));
}

/** The rules of one chain, as they were printed. */
export function rulesOf(saved: readonly string[], chain: string): string[] {
  return saved.filter((line) => line.startsWith(`-A ${chain} `));
}

/** The rules of other chains that jump to `target`, as they were printed. */
export function jumpsTo(saved: readonly string[], target: string): string[] {
  return saved.filter((line) => line.endsWith(` -j ${target}`) || line.includes(` -j ${target} `));
}

/** The chain or target that a rule jumps to; empty when it jumps nowhere. */
export function jumpTarget(line: string): string {
  return line.split(" -j ").at(1)?.split(" ").at(0) ?? "";
}

/** The line that deletes what an `-A` line adds. */
export function deletion(added: string): string {
  return `-D ${added.slice(3)}`;
}

/** The line that puts what an `-A` line adds before the other rules of its chain, or to that place among them, counted from 1. */
export function inFront(added: string, place = 1): string {
  const chain = added.split(" ").at(1) ?? "";
  return `-I ${chain} ${place}${added.slice(`-A ${chain}`.length)}`;
}

/** Lines that delete the chain, its rules and every jump to it; none when it is absent. */
export function chainDeletion(saved: readonly string[], chain: string): string[] {
  if (!hasChain(saved, chain)) return [];
  const jumps = jumpsTo(saved, chain).map((line: string): string => deletion(line));
  return [...jumps, `-F ${chain}`, `-X ${chain}`];
}
