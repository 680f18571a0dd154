/**
 * Counts the lines of the program, 4 to 6 ms, which V8 puts off until the first stack trace is made a text. Node makes one of every error that a socket ends with, so the first client that
 * resets its connection would have all others wait for it.
 */
export function prepareStackTraces(): string | undefined {
  return new Error().stack
}
