import type { DecodedFrame, Effect, StreamPosition } from './effects.js'
import type { FiredExpiry } from './expiry-oracle.js'
import { visibleState } from './oracle.js'
import { positionText, type KeyView } from './values.js'

interface RecordedFrame {
  readonly bytes: Uint8Array
  readonly decoded: DecodedFrame
}

const placeOf = (db: number, key: string): string => `${db}:${key}`

/**
 * A member has taken the state of another one in place of ops (docs/decisions/0021). That tells of its own ops not what they did with consumers; and of acknowledgements
 * not those that are nothing to anybody else any more: of entries that are gone, or before a group was placed anew.
 */
export interface Taking {
  /** The newest of its own ops that it had itself, and all that the state stands for. */
  readonly ownBefore: number
  readonly vector: Float64Array
  /** Groups, by groupName, of which it has kept nothing of its own: they may have been made anew. */
  readonly anew: ReadonlySet<string>
  /** Acknowledgements of which the state does not tell (untoldName). */
  readonly untold: ReadonlySet<string>
  /** Positions that are done by that state besides, as text, by besidesName. */
  readonly besides: ReadonlyMap<string, ReadonlySet<string>>
  /** What it does not have pending any more because the entries are gone, or were acknowledged. It may keep that, or not. */
  readonly dropped: Effect[]
}

export interface Taker {
  readonly id: number
  readonly takings: readonly Taking[]
  /** Its own frames that have come back to it after its disk was lost, by their last stamps: what it had when they came. */
  readonly returned: ReadonlyMap<number, Float64Array>
}

export function untoldName({ origin, stamp }: Effect, position: StreamPosition): string {
  return `${origin}:${stamp} ${positionText(position)}`
}

export function groupName(db: number, key: string, group: string): string {
  return `${placeOf(db, key)} ${group}`
}

/** Of a group as long as a SETID says where it starts. */
export function besidesName(db: number, key: string, group: string, { origin, stamp }: Effect): string {
  return `${groupName(db, key, group)} ${origin}:${stamp}`
}

function isForgotten({ db, key, origin, stamp, body }: Effect, { id, takings }: Taker): boolean {
  if (origin !== id || body.kind !== 'stream-pending') return false
  return takings.some(
    ({ ownBefore, vector, anew }) => stamp <= vector[id] && (stamp > ownBefore || anew.has(groupName(db, key, body.group))),
  )
}

function isClaim({ body }: Effect): boolean {
  return body.kind === 'stream-pending' && body.delivered.length === 0
}

/**
 * Everything that was ever written and is not allowed to be forgotten: the frames of each origin, in order, and their effects by key.
 */
export class History {
  private readonly frames = new Map<number, RecordedFrame[]>()
  private readonly effects = new Map<string, Effect[]>()
  private readonly flushes = new Map<number, Effect[]>()
  ops = 0

  /** Records a new frame of its origin. */
  add(bytes: Uint8Array, decoded: DecodedFrame): void {
    let frames = this.frames.get(decoded.origin)
    if (frames === undefined) this.frames.set(decoded.origin, (frames = []))
    frames.push({ bytes: bytes.slice(), decoded })
    for (const op of decoded.ops) {
      this.ops++
      for (const effect of op) this.index(effect)
    }
  }

  /** A history of its own with what a vector covers. */
  upTo(vector: ArrayLike<number>): History {
    const prefix = new History()
    for (const [origin, frames] of this.frames) {
      for (const { bytes, decoded } of frames) if (decoded.last <= vector[origin]) prefix.add(bytes, decoded)
    }
    return prefix
  }

  /** The frame of an origin that ends with a stamp. */
  find(origin: number, last: number): RecordedFrame | undefined {
    const frames = this.frames.get(origin) ?? []
    let low = 0
    let high = frames.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const stamp = frames[middle].decoded.last
      if (stamp === last) return frames[middle]
      if (stamp < last) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }

  /** The last stamp of the frame that an effect is in. */
  private frameOf({ origin, stamp }: Effect): number {
    return this.frames.get(origin)?.find(({ decoded }) => decoded.last >= stamp)?.decoded.last ?? 0
  }

  /** Where the frames of an origin end, in order. */
  lastStamps(origin: number): number[] {
    return (this.frames.get(origin) ?? []).map(({ decoded }) => decoded.last)
  }

  /** The stamp of the newest frame of an origin. */
  newest(origin: number): number {
    return this.frames.get(origin)?.at(-1)?.decoded.last ?? 0
  }

  /** Forgets what an origin lost in a power cut before anyone else had seen it. */
  forgetAfter(origin: number, stamp: number): number {
    const frames = this.frames.get(origin) ?? []
    let lost = 0
    while (frames.length > 0 && frames[frames.length - 1].decoded.last > stamp) {
      frames.pop()
      lost++
    }
    if (lost === 0) return 0
    const gone = (effect: Effect): boolean => effect.origin === origin && effect.stamp > stamp
    for (const lists of [this.effects, this.flushes] as Map<unknown, Effect[]>[]) {
      for (const [place, list] of lists) {
        if (list.some(gone)) {
          lists.set(
            place,
            list.filter((effect) => !gone(effect)),
          )
        }
      }
    }
    return lost
  }

  /** What a key looks like to one who has applied exactly what the vector covers; `by`: who has taken states of others. */
  visible(db: number, key: string, vector: ArrayLike<number>, fired: FiredExpiry = 'spent', by?: Taker): KeyView | null {
    const effects = this.effects.get(placeOf(db, key))
    if (effects === undefined) return null
    if (by === undefined || (by.takings.length === 0 && by.returned.size === 0)) return visibleState(effects, vector, fired)
    const { takings, id, returned } = by
    const dropped = takings.flatMap((taking) => taking.dropped.filter((effect) => effect.db === db && effect.key === key))
    const known = [...effects.filter((effect) => !isForgotten(effect, by)), ...dropped]
    return visibleState(known, vector, fired, {
      member: id,
      hasHeard: (ack, position, owner) => {
        // A claim that comes back behind an acknowledgement may be one of something that was done: that it is not only the acknowledgement's context could say.
        const before = isClaim(owner) ? returned.get(this.frameOf(owner)) : undefined
        if (before !== undefined && ack.stamp <= before[ack.origin]) return false
        return !takings.some(({ untold }) => untold.has(untoldName(ack, position)))
      },
      doneBesides: (group, place) => {
        const name = besidesName(db, key, group, place)
        return takings.flatMap(({ besides }) => [...(besides.get(name) ?? [])])
      },
    })
  }

  effectsOn(db: number, key: string): readonly Effect[] {
    return this.effects.get(placeOf(db, key)) ?? []
  }

  /** Every key that was ever written. */
  *places(): Generator<{ db: number; key: string }> {
    for (const place of this.effects.keys()) {
      const colon = place.indexOf(':')
      yield { db: Number(place.slice(0, colon)), key: place.slice(colon + 1) }
    }
  }

  private index(effect: Effect): void {
    if (effect.body.kind === 'topology') return
    if (effect.body.kind === 'flush-db') {
      this.listOf(this.flushes, effect.db).push(effect)
      for (const [place, list] of this.effects) if (place.startsWith(`${effect.db}:`)) list.push(effect)
      return
    }
    const place = placeOf(effect.db, effect.key)
    let list = this.effects.get(place)
    // Flushes that came before the first write to a key concern it too: a concurrent one may have seen a write that is recorded later.
    if (list === undefined) this.effects.set(place, (list = [...(this.flushes.get(effect.db) ?? [])]))
    list.push(effect)
  }

  private listOf<K>(lists: Map<K, Effect[]>, key: K): Effect[] {
    let list = lists.get(key)
    if (list === undefined) lists.set(key, (list = []))
    return list
  }
}
