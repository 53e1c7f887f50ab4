/** Where a plugin's executable is: CNI_PATH is searched in order (SPEC section 4). */
import { statSync } from "node:fs";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { pluginTypeProblem } from "../../spec/names.ts";

/**
 * The first regular file named `type` in the directories of `cniPath` (joined by `:`).
 * @throws CniError 7 when the type is no plain name, 103 when no directory has it
 */
export function findPlugin(type: string, cniPath: string): string {
  const problem = pluginTypeProblem(type);
  if (problem !== undefined)
    throw new CniError(ErrorCode.InvalidConfig, problem, "type names an executable in CNI_PATH");
  for (const directory of cniPath.split(":")) {
    if (directory === "") continue;
    const path = `${directory}/${type}`;
    if (isRegularFile(path)) return path;
  }
  throw new CniError(
    ErrorCode.DelegateFailed,
    `failed to find plugin "${type}" in path [${cniPath.split(":").join(" ")}]`,
    "install it in one of these directories, or correct the type in the network configuration",
  );
}

function isRegularFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (_) {
    return false;
  }
}

/** Whether two paths lead to one file: the same device and inode. */
export function isSameFile(path: string, other: string): boolean {
  try {
    const a = statSync(path);
    const b = statSync(other);
    return a.dev === b.dev && a.ino === b.ino;
  } catch (_) {
    return false;
  }
}
