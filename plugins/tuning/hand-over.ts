/** Several interfaces of one container may have set the same sysctl: who restores which value. */
import type { Attachment } from "../../pkg/skel/attachment.ts";
import type { Backup, SysctlChange } from "./backup.ts";
import { BackupFile } from "./backup-file.ts";
import { sameSysctlValue } from "./sysctl-value.ts";

/**
 * What is still to be set back, after handing over to other interfaces of the same container: where one of them was tuned later
 * and has set the same sysctl, its value stays, and what was there before the first of them becomes what it restores.
 */
export function handOver(
  backup: Backup,
  file: BackupFile,
  directory: string,
  attachment: Attachment,
  isSameLife: (other: Backup) => boolean,
  warn: (line: string) => void,
): Backup {
  let left: SysctlChange[] = [...backup.sysctls];
  for (const otherFile of BackupFile.others(directory, attachment, warn)) {
    const other = otherFile.read();
    if (other === undefined || !isSameLife(other)) continue;
    const heir = inherit(other.sysctls, left);
    if (heir.taken.length === 0) continue;
    otherFile.write({ owner: other.owner, sandbox: other.sandbox, link: other.link, sysctls: heir.sysctls });
    left = left.filter((each: SysctlChange): boolean => !heir.taken.includes(each.path));
    file.write({ owner: backup.owner, sandbox: backup.sandbox, link: backup.link, sysctls: left });
  }
  return { owner: backup.owner, sandbox: backup.sandbox, link: backup.link, sysctls: left };
}

interface Heir {
  /** What the other interface restores from now on. */
  readonly sysctls: readonly SysctlChange[];
  /** Paths that it has taken over. */
  readonly taken: readonly string[];
}

function inherit(later: readonly SysctlChange[], earlier: readonly SysctlChange[]): Heir {
  const sysctls: SysctlChange[] = [];
  const taken: string[] = [];
  for (const change of later) {
    const before = earlier.find((each) => each.path === change.path && sameSysctlValue(each.set, change.former));
    if (before !== undefined) taken.push(change.path);
    sysctls.push(before === undefined ? change : { path: change.path, former: before.former, set: change.set });
  }
  return { sysctls, taken };
}
