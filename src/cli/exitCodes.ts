// How the commands end.

/** 0 done, 1 the work failed, 2 the call was wrong. */
export const EXIT = { done: 0, failed: 1, wrongCall: 2 } as const;
