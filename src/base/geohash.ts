/**
 * Positions as scores: 26 bits of latitude and 26 of longitude, interleaved, so that places near each other mostly are numbers near each other. The same
 * numbers as Redis', whose latitudes are those of the Mercator square. Source: Niemeyer's geohash; Morton order.
 */
export const LONGITUDE_LIMIT = 180
export const LATITUDE_LIMIT = 85.05112878
export const GEOHASH_BITS = 26
const CELLS = 2 ** GEOHASH_BITS
const HALF_BITS = GEOHASH_BITS / 2
const HALF_MASK = 2 ** HALF_BITS - 1
/** Scores are 0 .. this - 1. */
const SCORES = 2 ** (GEOHASH_BITS * 2)
const EARTH_RADIUS_METERS = 6372797.560856
const RADIANS = Math.PI / 180

export interface Position {
  readonly longitude: number
  readonly latitude: number
}

/** The score of a position within the limits. */
export function encodePosition(longitude: number, latitude: number): number {
  return interleave(rowOf(latitude), columnOf(longitude))
}

/** Which of so many cells from west to east, from south to north. */
function columnOf(longitude: number, cells = CELLS): number {
  return Math.floor(((longitude + LONGITUDE_LIMIT) / (LONGITUDE_LIMIT * 2)) * cells)
}

function rowOf(latitude: number, cells = CELLS): number {
  return Math.floor(((latitude + LATITUDE_LIMIT) / (LATITUDE_LIMIT * 2)) * cells)
}

/** The middle of the cell that a score stands for. Any number is taken for a score, as in Redis. */
export function decodePosition(score: number): Position {
  let row: number
  let column: number
  if (score >= 0 && score < SCORES) {
    const whole = Math.trunc(score)
    const high = Math.floor(whole / CELLS)
    const low = whole % CELLS
    row = squash(high) * 2 ** HALF_BITS + squash(low)
    column = squash(high >>> 1) * 2 ** HALF_BITS + squash(low >>> 1)
  } else {
    const bits = Number.isFinite(score) ? BigInt.asUintN(64, BigInt(Math.trunc(score))) : 0n
    row = everyOther(bits)
    column = everyOther(bits >> 1n)
  }
  const longitude = middle(column, LONGITUDE_LIMIT)
  const latitude = middle(row, LATITUDE_LIMIT)
  return {
    longitude: Math.max(-LONGITUDE_LIMIT, Math.min(LONGITUDE_LIMIT, longitude)),
    latitude: Math.max(-LATITUDE_LIMIT, Math.min(LATITUDE_LIMIT, latitude)),
  }
}

function middle(cell: number, limit: number): number {
  const from = -limit + (cell / CELLS) * (limit * 2)
  const to = -limit + ((cell + 1) / CELLS) * (limit * 2)
  return (from + to) / 2
}

/** Bits 0, 2, 4 … of a 64-bit number. */
function everyOther(bits: bigint): number {
  let value = 0
  for (let bit = 0; bit < 32; bit++) if (((bits >> BigInt(bit * 2)) & 1n) === 1n) value += 2 ** bit
  return value
}

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'
const STANDARD_LATITUDE_LIMIT = 90

/** The geohash of a position as everyone writes it, which has latitudes up to the poles: ten characters and a 0 that stands for what is not known. */
export function geohashText({ longitude, latitude }: Position): string {
  const row = Math.floor(((latitude + STANDARD_LATITUDE_LIMIT) / (STANDARD_LATITUDE_LIMIT * 2)) * CELLS)
  let rest = interleave(row, columnOf(longitude)) / 4
  let text = ''
  for (let i = 0; i < 10; i++) {
    rest = Math.floor(rest)
    text = ALPHABET[rest % 32] + text
    rest /= 32
  }
  return `${text}0`
}

/** Meters between two positions on a sphere, by the haversine formula. */
export function distanceBetween(a: Position, b: Position): number {
  const v = Math.sin((b.longitude * RADIANS - a.longitude * RADIANS) / 2)
  if (v === 0) return latitudeDistance(a.latitude, b.latitude)
  const from = a.latitude * RADIANS
  const to = b.latitude * RADIANS
  const u = Math.sin((to - from) / 2)
  return 2 * EARTH_RADIUS_METERS * Math.asin(Math.sqrt(u * u + Math.cos(from) * Math.cos(to) * v * v))
}

export function latitudeDistance(a: number, b: number): number {
  return EARTH_RADIUS_METERS * Math.abs(b * RADIANS - a * RADIANS)
}

/** Scores min .. max-1. */
export interface ScoreInterval {
  readonly min: number
  readonly max: number
}

/** Most cells in a row or column of those that cover an area. */
const COVER = 3

/**
 * Intervals of scores that hold every position within so many degrees of latitude and longitude of a center, and others: of the smallest cells of which at most
 * three by three can do that.
 */
export function coverArea(center: Position, latitudeDegrees: number, longitudeDegrees: number): ScoreInterval[] {
  const south = Math.max(-LATITUDE_LIMIT, center.latitude - latitudeDegrees)
  const north = Math.min(LATITUDE_LIMIT, center.latitude + latitudeDegrees)
  const west = center.longitude - longitudeDegrees
  const east = center.longitude + longitudeDegrees
  for (let bits = GEOHASH_BITS; ; bits--) {
    const cells = 2 ** bits
    const firstRow = Math.max(0, rowOf(south, cells))
    const lastRow = Math.min(cells - 1, rowOf(north, cells))
    let firstColumn = columnOf(west, cells)
    let columns = columnOf(east, cells) - firstColumn + 1
    if (!(columns < cells)) {
      firstColumn = 0
      columns = cells
    }
    if (bits > 1 && (columns > COVER || lastRow - firstRow >= COVER)) continue
    const size = 4 ** (GEOHASH_BITS - bits)
    const scale = 2 ** (GEOHASH_BITS - bits)
    const intervals: ScoreInterval[] = []
    const cover = (row: number, column: number) => {
      const min = interleave(row * scale, column * scale)
      intervals.push({ min, max: min + size })
    }
    // Positions on the very limit have a row or column of their own, behind the last one.
    const endRow = lastRow === cells - 1 ? cells : lastRow
    for (let row = firstRow; row <= endRow; row++) {
      let touchesLimit = false
      for (let i = 0; i < columns; i++) {
        // Around the world: what is west of -180 degrees is in the east.
        const column = (firstColumn + i + cells) % cells
        cover(row, column)
        if (column === 0 || column === cells - 1) touchesLimit = true
      }
      if (touchesLimit) cover(row, cells)
    }
    // What is next to the center comes first: a search for any few places ends soon.
    const score = encodePosition(center.longitude, center.latitude)
    const own = intervals.findIndex(({ min, max }) => min <= score && score < max)
    if (own > 0) intervals.unshift(...intervals.splice(own, 1))
    return intervals
  }
}

/** How many degrees of latitude so many meters are. */
export function latitudeDegreesOf(meters: number): number {
  return meters / EARTH_RADIUS_METERS / RADIANS
}

/** How far apart in longitude two positions at a latitude can be that are so many meters apart; 360 when that is no bound. */
export function longitudeDegreesOf(meters: number, latitude: number): number {
  const sine = Math.sin(Math.min(Math.PI / 2, meters / EARTH_RADIUS_METERS / 2)) / Math.cos(latitude * RADIANS)
  return sine >= 1 ? 360 : (2 * Math.asin(sine)) / RADIANS
}

/** Bits of the row at even, of the column at odd places. */
function interleave(row: number, column: number): number {
  const high = spread(row >>> HALF_BITS) | (spread(column >>> HALF_BITS) << 1)
  const low = spread(row & HALF_MASK) | (spread(column & HALF_MASK) << 1)
  return (high >>> 0) * CELLS + (low >>> 0)
}

/** Up to 16 bits, each followed by a zero bit. */
function spread(value: number): number {
  let x = value
  x = (x | (x << 8)) & 0x00ff00ff
  x = (x | (x << 4)) & 0x0f0f0f0f
  x = (x | (x << 2)) & 0x33333333
  return (x | (x << 1)) & 0x55555555
}

/** The bits at even places, together. */
function squash(value: number): number {
  let x = value & 0x55555555
  x = (x | (x >>> 1)) & 0x33333333
  x = (x | (x >>> 2)) & 0x0f0f0f0f
  x = (x | (x >>> 4)) & 0x00ff00ff
  return (x | (x >>> 8)) & 0x0000ffff
}
