import { LATITUDE_LIMIT, LONGITUDE_LIMIT, type Position } from '../../base/geohash.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { oneOf, token } from '../string/arguments.js'
import { scoreArgument } from '../sorted-set/arguments.js'

export const UNIT = oneOf('unit', token('m'), token('km'), token('ft'), token('mi'))

/** Longitude and latitude in arguments i and i + 1. */
export function positionArgument(call: Call, i: number): Position {
  const longitude = scoreArgument(call, i)
  const latitude = scoreArgument(call, i + 1)
  if (Math.abs(longitude) > LONGITUDE_LIMIT || Math.abs(latitude) > LATITUDE_LIMIT) {
    throw new CommandError(`ERR invalid longitude,latitude pair ${fixed(longitude)},${fixed(latitude)}`)
  }
  return { longitude, latitude }
}

/** As printf's %f. */
function fixed(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`
}

/** Meters of the unit in argument i. */
export function unitArgument(call: Call, i: number): number {
  if (call.is(i, 'M')) return 1
  if (call.is(i, 'KM')) return 1000
  if (call.is(i, 'FT')) return 0.3048
  if (call.is(i, 'MI')) return 1609.34
  throw new CommandError('ERR unsupported unit provided. please use M, KM, FT, MI')
}

/** A coordinate, as Redis prints a long double: 17 decimals without trailing zeros. */
export function replyCoordinate(reply: ReplyWriter, value: number): void {
  reply.double(value.toFixed(17).replace(/\.?0+$/, ''))
}

export function replyPosition(reply: ReplyWriter, { longitude, latitude }: Position): void {
  reply.array(2)
  replyCoordinate(reply, longitude)
  replyCoordinate(reply, latitude)
}

/** A distance with four decimals. */
export function replyDistance(reply: ReplyWriter, distance: number): void {
  reply.bulkString(distance.toFixed(4))
}
