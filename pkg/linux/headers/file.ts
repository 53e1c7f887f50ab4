/** Operations of flock(2). Source: sys/file.h. */

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
