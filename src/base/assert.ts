/** Thrown when the program's own reasoning is wrong. It is a bug: the process stops. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/**
 * States something that must be true for the program to be correct. Stays on in production.
 * Never use it on what a client, a peer or the disk said: that is validated and answered.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}
