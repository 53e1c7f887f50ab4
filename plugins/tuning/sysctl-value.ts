/** When two texts are one value to the kernel. Pure. Source: proc_dointvec of linux kernel/sysctl.c. */

/** Blanks and tabs are the same to it, and so are 16, 0x10 and 020; other words are compared as they are. */
export function sameSysctlValue(one: string, other: string): boolean {
  const words = wordsOf(one);
  const others = wordsOf(other);
  if (words.length !== others.length) return false;
  for (const [index, word] of words.entries()) if (word !== others.at(index)) return false;
  return true;
}

/** On one line, for messages. */
export function shownSysctlValue(value: string): string {
  return value.trim().split(/\s+/).join(" ");
}

function wordsOf(value: string): string[] {
  const words: string[] = [];
  for (const word of value.trim().split(/\s+/)) words.push(normal(word));
  return words;
}

function normal(word: string): string {
  if (/^-?0[xX][0-9a-fA-F]+$/.test(word)) return number(word, "0x", 16);
  if (/^-?0[0-7]+$/.test(word)) return number(word, "0", 8);
  return word;
}

function number(word: string, prefix: string, base: number): string {
  const negative = word.startsWith("-");
  const digits = word.slice((negative ? 1 : 0) + prefix.length);
  const value = parseInt(digits, base);
  return negative && value !== 0 ? `-${value}` : `${value}`;
}
