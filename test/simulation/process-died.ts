/** Thrown by a disk when its process has died in the middle of a call: the rest of the turn never happens, and the scheduler goes on with the next event. */
export class ProcessDied extends Error {}
