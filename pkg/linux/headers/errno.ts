/** The errors that callers of system calls tell apart by number. Source: asm-generic/errno-base.h, asm-generic/errno.h. */

export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const EINVAL = 22;
export const EFBIG = 27;
export const ENAMETOOLONG = 36;
export const EMSGSIZE = 90;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
