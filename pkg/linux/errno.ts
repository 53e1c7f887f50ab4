/** Errors of system calls and of netlink, by name. Source: asm-generic/errno-base.h, asm-generic/errno.h; ENOTSUPP and ERESTART from linux/errno.h. */

const names: readonly (readonly [number, string, string])[] = [
  [1, "EPERM", "operation not permitted"],
  [2, "ENOENT", "no such file or directory"],
  [3, "ESRCH", "no such process"],
  [4, "EINTR", "interrupted system call"],
  [5, "EIO", "input/output error"],
  [6, "ENXIO", "no such device or address"],
  [7, "E2BIG", "argument list too long"],
  [8, "ENOEXEC", "exec format error"],
  [9, "EBADF", "bad file descriptor"],
  [10, "ECHILD", "no child processes"],
  [11, "EAGAIN", "resource temporarily unavailable"],
  [12, "ENOMEM", "cannot allocate memory"],
  [13, "EACCES", "permission denied"],
  [14, "EFAULT", "bad address"],
  [16, "EBUSY", "device or resource busy"],
  [17, "EEXIST", "file exists"],
  [18, "EXDEV", "invalid cross-device link"],
  [19, "ENODEV", "no such device"],
  [20, "ENOTDIR", "not a directory"],
  [21, "EISDIR", "is a directory"],
  [22, "EINVAL", "invalid argument"],
  [23, "ENFILE", "too many open files in system"],
  [24, "EMFILE", "too many open files"],
  [26, "ETXTBSY", "text file busy"],
  [27, "EFBIG", "file too large"],
  [28, "ENOSPC", "no space left on device"],
  [30, "EROFS", "read-only file system"],
  [31, "EMLINK", "too many links"],
  [32, "EPIPE", "broken pipe"],
  [34, "ERANGE", "numerical result out of range"],
  [36, "ENAMETOOLONG", "file name too long"],
  [38, "ENOSYS", "function not implemented"],
  [40, "ELOOP", "too many levels of symbolic links"],
  [61, "ENODATA", "no data available"],
  [71, "EPROTO", "protocol error"],
  [75, "EOVERFLOW", "value too large for its data type"],
  [85, "ERESTART", "interrupted by another change"],
  [90, "EMSGSIZE", "message too long"],
  [93, "EPROTONOSUPPORT", "protocol not supported"],
  [95, "EOPNOTSUPP", "operation not supported"],
  [97, "EAFNOSUPPORT", "address family not supported"],
  [98, "EADDRINUSE", "address already in use"],
  [99, "EADDRNOTAVAIL", "cannot assign requested address"],
  [100, "ENETDOWN", "network is down"],
  [101, "ENETUNREACH", "network is unreachable"],
  [104, "ECONNRESET", "connection reset"],
  [105, "ENOBUFS", "no buffer space available"],
  [110, "ETIMEDOUT", "timed out"],
  [111, "ECONNREFUSED", "connection refused"],
  [113, "EHOSTUNREACH", "no route to host"],
  [524, "ENOTSUPP", "operation not supported by the kernel"],
];

/** `EBUSY` for 16; `errno 1234` for one not in the table. */
export function errnoName(number: number): string {
  for (const row of names) if (row[0] === number) return row[1];
  return `errno ${number}`;
}

function describe(number: number): string {
  for (const row of names) if (row[0] === number) return `${row[2]} (${row[1]})`;
  return `errno ${number}`;
}

/** A system call that failed or a request that the kernel refused. Callers compare `errno`, never the text. */
export class KernelError extends Error {
  /** What was being done: "delete link cni0". */
  readonly operation: string;
  /** The error's name: "EBUSY". */
  readonly errno: string;
  readonly number: number;
  /** The kernel's own words (netlink's extended acknowledgement); often empty. */
  readonly extack: string;

  constructor(operation: string, number: number, extack = "") {
    super(`${operation}: ${describe(number)}${extack === "" ? "" : `: ${extack}`}`);
    this.name = "KernelError";
    this.operation = operation;
    this.errno = errnoName(number);
    this.number = number;
    this.extack = extack;
  }
}
