import { readPayload, writePayload } from '../../rdb/payload.js'
import { RdbType } from '../../rdb/rdb-types.js'

/**
 * A source's writes arrive late. A key that the source kept alive just before it would have expired must not be gone by then at the target, which, unlike a
 * replica of Redis, lets keys expire by itself. So while a source is followed every time of expiry is written this much later, and what does expire is removed
 * by the source's own DEL. At cut-over all of them are put right: what lies further away than half of this is one of them.
 *
 * A hundred years.
 */
export const EXPIRY_SHIFT_MS = 100 * 365.25 * 86_400_000

type Args = (string | Uint8Array)[]

const ABSOLUTE_MS = 'PXAT'
/** Options of SET and its kin: what their number means. */
const OPTIONS: Readonly<Record<string, (value: number, nowMs: number) => number>> = {
  EX: (value, nowMs) => nowMs + value * 1000,
  PX: (value, nowMs) => nowMs + value,
  EXAT: (value) => value * 1000,
  PXAT: (value) => value,
}
/** Commands whose second argument is a time: which option it would be, and what the command is called with an absolute one. */
const TIMED: Readonly<Record<string, readonly [option: string, absolute: string]>> = {
  EXPIRE: ['EX', 'PEXPIREAT'],
  PEXPIRE: ['PX', 'PEXPIREAT'],
  EXPIREAT: ['EXAT', 'PEXPIREAT'],
  PEXPIREAT: ['PXAT', 'PEXPIREAT'],
  HEXPIRE: ['EX', 'HPEXPIREAT'],
  HPEXPIRE: ['PX', 'HPEXPIREAT'],
  HEXPIREAT: ['EXAT', 'HPEXPIREAT'],
  HPEXPIREAT: ['PXAT', 'HPEXPIREAT'],
}
/** Where options that give a time begin; they end at FIELDS. */
const OPTIONS_FROM: Readonly<Record<string, number>> = { SET: 3, GETEX: 2, HSETEX: 2, HGETEX: 2 }

/** The same write with its time of expiry `shiftMs` later, and absolute. */
export function withLaterExpiry(name: string, args: Args, shiftMs: number, nowMs: number): Args {
  if (name in TIMED) {
    const [option, absolute] = TIMED[name]
    return [absolute, args[1], later(option, args[2], shiftMs, nowMs), ...args.slice(3)]
  }
  if (name === 'SETEX' || name === 'PSETEX') {
    const option = name === 'SETEX' ? 'EX' : 'PX'
    return ['SET', args[1], args[3], ABSOLUTE_MS, later(option, args[2], shiftMs, nowMs)]
  }
  if (name in OPTIONS_FROM) return optionLater(args, OPTIONS_FROM[name], shiftMs, nowMs)
  if (name === 'MSETEX') return optionLater(args, 2 + 2 * Number(text(args[1])), shiftMs, nowMs)
  return name === 'RESTORE' ? restoreLater(args, shiftMs, nowMs) : args
}

/** The same value with the times of its fields later; null when it has none. */
export function payloadWithLaterFields(payload: Uint8Array, shiftMs: number): Uint8Array | null {
  switch (payload[0]) {
    case RdbType.hashExpiring:
    case RdbType.hashExpiringPreRelease:
    case RdbType.hashListpackExpiring:
    case RdbType.hashListpackExpiringPreRelease:
      break
    default:
      return null
  }
  const { value } = readPayload(payload)
  if (value === null || value.type !== 'hash' || value.expiries === null) return null
  return writePayload({ ...value, expiries: value.expiries.map((at) => (at === 0 ? 0 : at + shiftMs)) })
}

function optionLater(args: Args, from: number, shiftMs: number, nowMs: number): Args {
  for (let i = from; i + 1 < args.length; i++) {
    const option = text(args[i]).toUpperCase()
    if (option === 'FIELDS') break
    if (option in OPTIONS)
      return [...args.slice(0, i), ABSOLUTE_MS, later(option, args[i + 1], shiftMs, nowMs), ...args.slice(i + 2)]
  }
  return args
}

/** RESTORE key ttl payload [options] */
function restoreLater(args: Args, shiftMs: number, nowMs: number): Args {
  const [name, key, ttl, payload, ...options] = args
  const value = typeof payload === 'string' ? payload : (payloadWithLaterFields(payload, shiftMs) ?? payload)
  if (Number(text(ttl)) === 0) return [name, key, ttl, value, ...options]
  const isAbsolute = options.some((option) => text(option).toUpperCase() === 'ABSTTL')
  const at = later(isAbsolute ? 'PXAT' : 'PX', ttl, shiftMs, nowMs)
  return [name, key, at, value, ...options, ...(isAbsolute ? [] : ['ABSTTL'])]
}

function later(option: string, time: string | Uint8Array, shiftMs: number, nowMs: number): string {
  return String(Math.min(OPTIONS[option](Number(text(time)), nowMs) + shiftMs, Number.MAX_SAFE_INTEGER))
}

function text(argument: string | Uint8Array): string {
  return typeof argument === 'string' ? argument : Buffer.from(argument).toString('latin1')
}
