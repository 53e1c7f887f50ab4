/**
 * SELinux contexts of programs that are started. Used by tap-device.ts.
 * Source: Documentation/admin-guide/LSM/SELinux.rst, setexeccon(3), proc_pid_attr(5).
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** The calling thread's alone: the thread that starts the program must be the one that writes. */
const ON_EXECUTION = "/proc/thread-self/attr/exec";

/** Whether the kernel runs with SELinux, enforcing or not: it registers this file system only then. */
export function hasSelinux(): boolean {
  return /\bselinuxfs$/m.test(readFileSync("/proc/filesystems", "utf8"));
}

/**
 * Runs `action`, and programs that it starts run in `context`.
 * @throws the file system's error: EINVAL when the policy has no such context, EACCES when it does not permit to change to it
 */
export function inSelinuxContext<T>(context: string, action: () => T): T {
  write(context);
  try {
    return action();
  } finally {
    write("\n"); // none
  }
}

function write(context: string): void {
  const descriptor = openSync(ON_EXECUTION, "r+");
  try {
    writeSync(descriptor, context);
  } finally {
    closeSync(descriptor);
  }
}
