/** Waiting for descriptors. Source: asm-generic/poll.h. */

export const POLLIN = 1;
export const POLLOUT = 4;

/** Bytes of struct pollfd: the descriptor, what is waited for, what has come. */
export const POLLFD_BYTES = 8;
