/** How the demonstration looks: a heading for each step, the commands, what they print, and a verdict. */

const colourful = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

function paint(code: number, text: string): string {
  return colourful ? `\u001b[${code}m${text}\u001b[0m` : text;
}

const bold = (text: string): string => paint(1, text);
const dim = (text: string): string => paint(2, text);
const red = (text: string): string => paint(31, text);
const green = (text: string): string => paint(32, text);
const cyan = (text: string): string => paint(36, text);

export function showTitle(title: string, subtitle: string): void {
  console.log(`\n${bold(title)}\n${dim(subtitle)}\n`);
}

export function showHeading(number: number, heading: string): void {
  console.log(`${bold(`${number}. ${heading}`)}`);
}

/** One line of explanation. */
export function showNote(text: string): void {
  console.log(`   ${dim(text)}`);
}

/** What an operator would type. */
export function showCommand(where: string, command: string): void {
  console.log(`   ${dim(where === "" ? "#" : `[${where}]#`)} ${cyan(command)}`);
}

/** What was printed, indented. */
export function showOutput(text: string): void {
  const trimmed = text.trimEnd();
  if (trimmed === "") return;
  for (const line of trimmed.split("\n")) console.log(`     ${line}`);
}

export function showSuccess(claim: string): void {
  console.log(`   ${green("✔")} ${claim}`);
}

export function showFailure(reason: string): void {
  console.error(`   ${red("✘")} ${reason}`);
}

export function showEnd(text: string): void {
  console.log(`\n${bold(text)}\n`);
}
