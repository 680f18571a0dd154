import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import { expiryTime, invalidExpiryTime } from '../expiry-time.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import { checkDigestText } from './value-condition.js'

/** What has to be true of the key for the command to write. */
export const Condition = { none: 0, nx: 1, xx: 2, ifEqual: 3, ifNotEqual: 4, ifDigestEqual: 5, ifDigestNotEqual: 6 } as const

/** How the time in argument `timeArgument` is to be read, or what happens to the expiry without one. */
export const Expiration = { none: 0, ex: 1, px: 2, exat: 3, pxat: 4, keepTtl: 5, persist: 6 } as const

/** Which commands' options are being read: each knows only some of them. */
export const OptionSet = { set: 0, getex: 1, msetex: 2 } as const

/**
 * The trailing options of SET, GETEX and MSETEX. One object is reused for every command, so that reading options allocates nothing. Redis lets
 * an option be repeated, but not be combined with another of its kind.
 */
export class SetOptions {
  condition: number = Condition.none
  /** Argument to compare with, for the conditions on the value. */
  matchArgument = 0
  get = false
  expiration: number = Expiration.none
  timeArgument = 0

  /** @throws CommandError syntax error. */
  parse(call: Call, from: number, set: number): void {
    this.clear()
    for (let i = from; i < call.argc; i++) {
      if (set !== OptionSet.getex && call.is(i, 'NX')) this.setCondition(Condition.nx)
      else if (set !== OptionSet.getex && call.is(i, 'XX')) this.setCondition(Condition.xx)
      else if (set === OptionSet.set && call.is(i, 'GET')) this.get = true
      else if (set !== OptionSet.getex && call.is(i, 'KEEPTTL')) this.setExpiration(Expiration.keepTtl)
      else if (set === OptionSet.getex && call.is(i, 'PERSIST')) this.persist()
      else i = this.parseWithArgument(call, i, set)
    }
  }

  clear(): void {
    this.condition = Condition.none
    this.get = false
    this.expiration = Expiration.none
  }

  private parseWithArgument(call: Call, i: number, set: number): number {
    if (i + 1 === call.argc) throw syntaxError()
    if (this.parseTime(call, i)) return i + 1
    if (set !== OptionSet.set) throw syntaxError()
    this.setMatch(call, i)
    return i + 1
  }

  /** Reads an option whose argument, the next one, is a time of expiry; false when argument i is something else. */
  parseTime(call: Call, i: number): boolean {
    if (call.is(i, 'EX')) this.setTime(Expiration.ex, i + 1)
    else if (call.is(i, 'PX')) this.setTime(Expiration.px, i + 1)
    else if (call.is(i, 'EXAT')) this.setTime(Expiration.exat, i + 1)
    else if (call.is(i, 'PXAT')) this.setTime(Expiration.pxat, i + 1)
    else return false
    return true
  }

  persist(): void {
    this.setExpiration(Expiration.persist)
  }

  private setMatch(call: Call, i: number): void {
    // A comparison may stand only once: its repetition would name two values.
    if (this.condition !== Condition.none) throw syntaxError()
    this.condition = valueCondition(call, i)
    if (this.condition === Condition.none) throw syntaxError()
    this.matchArgument = i + 1
  }

  private setCondition(condition: number): void {
    if (this.condition !== Condition.none && this.condition !== condition) throw syntaxError()
    this.condition = condition
  }

  private setExpiration(expiration: number): void {
    if (this.expiration !== Expiration.none && this.expiration !== expiration) throw syntaxError()
    this.expiration = expiration
  }

  private setTime(expiration: number, argument: number): void {
    this.setExpiration(expiration)
    this.timeArgument = argument
  }

  get hasTime(): boolean {
    return this.expiration >= Expiration.ex && this.expiration <= Expiration.pxat
  }

  get isAbsolute(): boolean {
    return this.expiration === Expiration.exat || this.expiration === Expiration.pxat
  }

  /** What the write does to the key's expiry. */
  get expiryMode(): number {
    if (this.hasTime) return ExpiryMode.set
    return this.expiration === Expiration.keepTtl ? ExpiryMode.keep : ExpiryMode.clear
  }

  /** The time asked for, in Unix ms; 0 when there is none. */
  expireAt(call: Call): number {
    if (!this.hasTime) return 0
    const inSeconds = this.expiration === Expiration.ex || this.expiration === Expiration.exat
    return expireTime(call, this.timeArgument, inSeconds, !this.isAbsolute)
  }

  /** Checks the digest that a condition names. */
  checkMatch(call: Call): void {
    if (this.condition >= Condition.ifDigestEqual) checkDigestText(call, this.matchArgument)
  }
}

/** The condition on the value that argument i names, or none. */
export function valueCondition(call: Call, i: number): number {
  if (call.is(i, 'IFEQ')) return Condition.ifEqual
  if (call.is(i, 'IFNE')) return Condition.ifNotEqual
  if (call.is(i, 'IFDEQ')) return Condition.ifDigestEqual
  return call.is(i, 'IFDNE') ? Condition.ifDigestNotEqual : Condition.none
}

/** Argument i as a time in Unix ms, which must lie ahead of its base: SET and its kin refuse what is not positive. */
export function expireTime(call: Call, i: number, inSeconds: boolean, relative: boolean): number {
  const base = relative ? call.nowMs : 0
  const at = expiryTime(call, i, inSeconds ? 1000 : 1, base)
  if (at <= base) throw invalidExpiryTime(call)
  return at
}
