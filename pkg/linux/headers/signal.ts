/** Signals by number. Source: asm-generic/signal.h. */

export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGALRM = 14;
export const SIGTERM = 15;
