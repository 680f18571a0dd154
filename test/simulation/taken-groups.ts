import { observes } from './cleared.js'
import type { StreamPosition } from './effects.js'
import { untoldName, type History, type Taker } from './history.js'
import { parsePosition, positionText, type KeyView } from './values.js'

/**
 * Acknowledgements of which the state that a member has taken does not tell (docs/decisions/0021): of entries that are not in it, of those that its groups count as
 * done from the start, and such as did not know of the SETID that holds. What the member's own consumers have pending of those stays pending.
 */
export function untoldAcks(history: History, taker: Taker & { readonly logged: Float64Array }, before: Float64Array): Set<string> {
  const untold = new Set<string>()
  for (const { db, key } of history.places()) {
    const acks = history
      .effectsOn(db, key)
      .filter(({ origin, stamp }) => stamp > before[origin] && stamp <= taker.logged[origin])
      .flatMap((effect) => (effect.body.kind === 'stream-ack' ? [{ effect, body: effect.body }] : []))
    if (acks.length === 0) continue
    const view = history.visible(db, key, taker.logged, 'spent', taker)
    if (view?.value.type !== 'stream') continue
    const there = new Set(view.value.entries.map(positionText))
    for (const { effect, body } of acks) {
      const group = view.value.groups.get(body.group)
      if (group === undefined) continue
      const { place, start } = group
      for (const position of body.positions) {
        const isTold =
          there.has(positionText(position)) &&
          (position.ms > start.ms || (position.ms === start.ms && position.seq > start.seq)) &&
          (place === null || observes(effect, place))
        if (!isTold) untold.add(untoldName(effect, position))
      }
    }
  }
  return untold
}

/** By group what a member's consumers have pending of entries that are not in the stream any more. */
export function goneAndPending(view: KeyView | null, member: number): Map<string, StreamPosition[]> {
  const gone = new Map<string, StreamPosition[]>()
  if (view?.value.type !== 'stream') return gone
  const there = new Set(view.value.entries.map(positionText))
  for (const [name, { pending }] of view.value.groups) {
    const positions = [...(pending.get(member)?.keys() ?? [])].filter((position) => !there.has(position)).map(parsePosition)
    if (positions.length > 0) gone.set(name, positions)
  }
  return gone
}
