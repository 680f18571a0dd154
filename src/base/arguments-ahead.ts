/** How many commands are looked at ahead, of how many arguments at most. */
export const MOST_AHEAD = 16
export const ARGUMENTS_AHEAD = 8
const NOTHING = new Uint8Array(0)

/**
 * The commands that come next in a pipeline, as far as they have arrived whole and are of the usual form: where their arguments lie. They have not run, and what they
 * are nobody knows.
 */
export class ArgumentsAhead {
  buf: Uint8Array = NOTHING
  /** Whose commands they are; null: nobody's, such as keys of effects. */
  owner: object | null = null
  /** Commands, and which of them is the next. */
  count = 0
  next = 0
  /** Of each command: arguments, the name included, and where it ends. */
  readonly argc = new Int32Array(MOST_AHEAD)
  readonly end = new Int32Array(MOST_AHEAD)
  /** Of each command, ARGUMENTS_AHEAD places each; those of arguments that it does not have are 0. */
  readonly offs = new Int32Array(MOST_AHEAD * ARGUMENTS_AHEAD)
  readonly lens = new Int32Array(MOST_AHEAD * ARGUMENTS_AHEAD)

  forget(): void {
    this.count = this.next = 0
    this.buf = NOTHING
    this.owner = null
  }

  off(command: number, argument: number): number {
    return this.offs[command * ARGUMENTS_AHEAD + argument]
  }

  len(command: number, argument: number): number {
    return this.lens[command * ARGUMENTS_AHEAD + argument]
  }
}
