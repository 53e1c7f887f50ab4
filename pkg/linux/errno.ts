/**
 * Errors of system calls and of netlink, by name. Used by all kernel packages; callers compare names, never texts.
 * Source: asm-generic/errno-base.h and asm-generic/errno.h; ENOTSUPP from linux/errno.h. One text, read only when
 * something has failed: a table of rows would be built at every start.
 */

const table = `
1 EPERM operation not permitted
2 ENOENT no such file or directory
3 ESRCH no such process or object
4 EINTR interrupted system call
5 EIO input/output error
6 ENXIO no such device or address
7 E2BIG argument list too long
8 ENOEXEC not an executable for this machine
9 EBADF bad file descriptor
10 ECHILD no child processes
11 EAGAIN resource temporarily unavailable
12 ENOMEM cannot allocate memory
13 EACCES permission denied
14 EFAULT bad address
15 ENOTBLK block device required
16 EBUSY device or resource busy
17 EEXIST already exists
18 EXDEV invalid cross-device link
19 ENODEV no such device
20 ENOTDIR not a directory
21 EISDIR is a directory
22 EINVAL invalid argument
23 ENFILE too many open files in the system
24 EMFILE too many open files
25 ENOTTY inappropriate request for the device
26 ETXTBSY executable file is being written
27 EFBIG too large
28 ENOSPC no space left
29 ESPIPE not seekable
30 EROFS read-only file system
31 EMLINK too many links
32 EPIPE broken pipe
33 EDOM argument out of domain
34 ERANGE numerical result out of range
35 EDEADLK resource deadlock avoided
36 ENAMETOOLONG name too long
37 ENOLCK no locks available
38 ENOSYS function not implemented
39 ENOTEMPTY directory not empty
40 ELOOP too many levels of symbolic links
42 ENOMSG no message of that type
61 ENODATA no data available
62 ETIME timer expired
64 ENONET machine is not on the network
67 ENOLINK link has been severed
70 ECOMM communication error
71 EPROTO protocol error
74 EBADMSG bad message
75 EOVERFLOW value too large for its data type
84 EILSEQ invalid or incomplete characters
85 ERESTART interrupted by another change
87 EUSERS too many users
88 ENOTSOCK not a socket
89 EDESTADDRREQ destination address required
90 EMSGSIZE message too long
91 EPROTOTYPE wrong protocol type for the socket
92 ENOPROTOOPT protocol not available
93 EPROTONOSUPPORT protocol not supported
94 ESOCKTNOSUPPORT socket type not supported
95 EOPNOTSUPP operation not supported
96 EPFNOSUPPORT protocol family not supported
97 EAFNOSUPPORT address family not supported
98 EADDRINUSE address already in use
99 EADDRNOTAVAIL cannot assign requested address
100 ENETDOWN network is down
101 ENETUNREACH network is unreachable
102 ENETRESET network dropped the connection
103 ECONNABORTED connection aborted
104 ECONNRESET connection reset
105 ENOBUFS no buffer space available
106 EISCONN already connected
107 ENOTCONN not connected
108 ESHUTDOWN endpoint has been shut down
110 ETIMEDOUT timed out
111 ECONNREFUSED connection refused
112 EHOSTDOWN host is down
113 EHOSTUNREACH no route to host
114 EALREADY already in progress
115 EINPROGRESS now in progress
116 ESTALE stale file handle
122 EDQUOT disk quota exceeded
125 ECANCELED operation canceled
130 EOWNERDEAD owner died
524 ENOTSUPP operation not supported by the kernel
`;

interface ErrnoEntry {
  readonly name: string;
  readonly description: string;
}

function find(number: number): ErrnoEntry | undefined {
  const prefix = `${number} `;
  for (const line of table.split("\n")) {
    if (!line.startsWith(prefix)) continue;
    const rest = line.slice(prefix.length);
    const end = rest.indexOf(" ");
    return { name: rest.slice(0, end), description: rest.slice(end + 1) };
  }
  return undefined;
}

/** `EBUSY` for 16; `errno 1234` for one not in the table. */
export function errnoName(number: number): string {
  return find(number)?.name ?? `errno ${number}`;
}

function describe(number: number): string {
  const entry = find(number);
  return entry === undefined ? `errno ${number}` : `${entry.description} (${entry.name})`;
}

/** A call that failed or a request that the kernel refused: `delete link cni0: device or resource busy (EBUSY)`. */
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

/** Whether what was caught is the kernel's refusal with this errno ("EEXIST"). */
export function isKernelError(error: unknown, errno: string): boolean {
  return error instanceof Error ? refusedWith(error, errno) : false;
}

function refusedWith(error: Error, errno: string): boolean {
  return error instanceof KernelError && error.errno === errno;
}

/** Whether what was caught is an error of the file system with this code ("ENOENT"). */
export function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code === code : false;
}
