/** Not an experiment, but part of one. */
export const part = 1
