/** What an operator can do when the system refuses something: for the `details` of errors. Used by pkg/skel and pkg/nftables. */
import { isFileError, KernelError } from "./errno.ts";

/** Empty where the error's own words are all that can be said. */
export function adviceFor(error: Error): string {
  return error instanceof KernelError ? kernelAdvice(error) : fileAdvice(error);
}

function kernelAdvice(error: KernelError): string {
  switch (error.errno) {
    case "EPERM":
      return "run the plugin as root of the host's user namespace, with CAP_NET_ADMIN and CAP_SYS_ADMIN";
    case "EACCES":
      return "IPv6 may be switched off there: set net.ipv6.conf.all.disable_ipv6 to 0, or leave the IPv6 addresses out";
    case "EINVAL":
      return error.operation.startsWith("create ") ? "the kernel refuses one of its parameters: see the mtu" : "";
    case "EADDRNOTAVAIL":
      return error.operation.startsWith("create ") ? "an interface's hardware address must be one of unicast" : "";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return "a gateway must lie in a subnet that the interface has an address in";
    case "EOPNOTSUPP":
    case "ENOTSUPP":
    case "EAFNOSUPPORT":
    case "EPROTONOSUPPORT":
      return "this kernel lacks what that needs: load the module (lsmod, modprobe), or use a kernel that has it";
    case "ENOMEM":
    case "ENOBUFS":
      return "the machine, or this control group, is short of memory";
    default:
      return "";
  }
}

function fileAdvice(error: Error): string {
  const isRefused = isFileError(error, "EROFS") || isFileError(error, "EACCES") || isFileError(error, "EPERM");
  if (isRefused && error.message.includes("/proc/sys/")) {
    return "/proc/sys cannot be written here, as in an unprivileged container: make it writable, or set the parameter beforehand (for new interfaces under net.ipv6.conf.default)";
  }
  if (isFileError(error, "EROFS")) return "mount that file system writable, or use another directory";
  if (isRefused) return "run the plugin as root; a security module (SELinux, AppArmor) may forbid it, too";
  if (isFileError(error, "ENOSPC") || isFileError(error, "EDQUOT")) return "make room on that file system (df, df -i)";
  return "";
}
