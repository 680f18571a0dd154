import { observes } from './cleared.js'
import type { Effect, StreamPosition } from './effects.js'
import { besidesName, groupName, untoldName, type History, type Taker } from './history.js'
import { parsePosition, positionText } from './values.js'

/**
 * Acknowledgements of which the state that a member has taken does not tell (docs/decisions/0021): of entries that are not in it, of those that its groups count as
 * done from the start or that are pending where it was written, and such as did not know of the SETID that holds. What the member's own consumers have pending of
 * those stays pending.
 *
 * @param shown what its records show: all that the taker has logged, or more. Which of the two a record is of nobody says, so both are asked.
 */
export function untoldAcks(
  history: History,
  taker: Taker & { readonly logged: Float64Array },
  giver: Taker,
  before: Float64Array,
  shown: Float64Array,
): Set<string> {
  const untold = new Set<string>()
  for (const { db, key } of history.places()) {
    const acks = history
      .effectsOn(db, key)
      .filter(({ origin, stamp }) => stamp > before[origin] && stamp <= taker.logged[origin])
      .flatMap((effect) => (effect.body.kind === 'stream-ack' ? [{ effect, body: effect.body }] : []))
    if (acks.length === 0) continue
    const view = history.visible(db, key, shown, 'spent', taker)
    if (view?.value.type !== 'stream') continue
    const there = new Set(view.value.entries.map(positionText))
    const given = history.visible(db, key, shown, 'spent', giver)?.value
    for (const { effect, body } of acks) {
      const group = view.value.groups.get(body.group)
      if (group === undefined) continue
      const { place, start } = group
      const pendingThere = given?.type === 'stream' ? given.groups.get(body.group)?.pending.get(giver.id) : undefined
      for (const position of body.positions) {
        const claim = lastClaim(history, db, key, body.group, position, giver.id, shown)
        const own = lastClaim(history, db, key, body.group, position, taker.id, before)
        const isOverHere = own !== null && knowsAck(history, own, body.group, position)
        const isTold =
          !isOverHere &&
          there.has(positionText(position)) &&
          (pendingThere?.has(positionText(position)) !== true ||
            (claim !== null && observes(claim, effect)) ||
            (body.isRead && effect.origin === giver.id)) &&
          (position.ms > start.ms || (position.ms === start.ms && position.seq > start.seq)) &&
          (place === null || observes(effect, place))
        if (!isTold) untold.add(untoldName(effect, position))
      }
    }
  }
  return untold
}

/**
 * What a state calls done besides what is acknowledged (docs/decisions/0021): what its giver has delivered and does not have pending. The two differ where somebody acknowledged an entry who had
 * not seen that SETID placed the group anew: the entry is to be delivered once more, and the giver did that, but what it had pending of it the acknowledgement took.
 */
export function doneBesides(
  history: History,
  taker: Taker & { readonly logged: Float64Array },
  giver: Taker,
): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const { db, key } of history.places()) {
    const given = history.visible(db, key, taker.logged, 'spent', giver)?.value
    if (given?.type !== 'stream') continue
    const acknowledged = acknowledgedIn(history, db, key, taker.logged)
    for (const [name, { place, done, delivered, pending }] of given.groups) {
      if (place === null) continue
      const passed = [...(delivered.get(giver.id) ?? [])].filter(
        (position) => pending.get(giver.id)?.has(position) !== true && acknowledged.has(`${name} ${position}`),
      )
      found.set(besidesName(db, key, name, place), new Set([...done, ...passed]))
    }
  }
  return found
}

function acknowledgedIn(history: History, db: number, key: string, upTo: Float64Array): Set<string> {
  const acknowledged = new Set<string>()
  for (const { body, origin, stamp } of history.effectsOn(db, key)) {
    if (body.kind !== 'stream-ack' || stamp > upTo[origin]) continue
    for (const position of body.positions) acknowledged.add(`${body.group} ${positionText(position)}`)
  }
  return acknowledged
}

/** The newest effect by which a member has made an entry pending that it had not just read. */
function lastClaim(
  history: History,
  db: number,
  key: string,
  group: string,
  position: StreamPosition,
  member: number,
  upTo: Float64Array,
): Effect | null {
  const text = positionText(position)
  let newest: Effect | null = null
  for (const effect of history.effectsOn(db, key)) {
    const { body, origin, stamp } = effect
    if (origin !== member || stamp > upTo[member] || body.kind !== 'stream-pending' || body.group !== group) continue
    if (!body.assigned.some((each) => positionText(each) === text)) continue
    if (newest === null || stamp > newest.stamp) newest = effect
  }
  return newest?.body.kind === 'stream-pending' && newest.body.delivered.length === 0 ? newest : null
}

/** True when the claim is one of something that was acknowledged: that it is once more no state tells. */
function knowsAck(history: History, claim: Effect, group: string, position: StreamPosition): boolean {
  const text = positionText(position)
  return history
    .effectsOn(claim.db, claim.key)
    .some(
      (effect) =>
        effect.body.kind === 'stream-ack' &&
        effect.body.group === group &&
        effect.body.positions.some((each) => positionText(each) === text) &&
        observes(claim, effect),
    )
}

/**
 * Groups that were made after what the member had: elsewhere at the same time, or after they were destroyed. A member whose disk is older than what it has told cannot
 * know which, and keeps nothing of its own.
 */
export function groupsMadeSince(history: History, before: Float64Array, now: Float64Array): Set<string> {
  const newest = new Map<string, { readonly stamp: number; readonly isNew: boolean }>()
  for (const { db, key } of history.places()) {
    for (const { origin, stamp, body } of history.effectsOn(db, key)) {
      if (body.kind !== 'stream-group' || body.does !== 'create' || stamp > now[origin]) continue
      const name = groupName(db, key, body.group)
      if (stamp > (newest.get(name)?.stamp ?? 0)) newest.set(name, { stamp, isNew: stamp > before[origin] })
    }
  }
  return new Set([...newest].filter(([, { isNew }]) => isNew).map(([name]) => name))
}

/**
 * By group what the consumers of one who has taken a state have pending and may have pending no more: entries that are not in the stream any more, and such as
 * were acknowledged.
 */
export function mayBeDropped(
  history: History,
  db: number,
  key: string,
  taker: Taker & { readonly logged: Float64Array },
): Map<string, StreamPosition[]> {
  const found = new Map<string, StreamPosition[]>()
  const view = history.visible(db, key, taker.logged, 'spent', taker)
  if (view?.value.type !== 'stream') return found
  const there = new Set(view.value.entries.map(positionText))
  const acknowledged = acknowledgedIn(history, db, key, taker.logged)
  for (const [name, { pending }] of view.value.groups) {
    const positions = [...(pending.get(taker.id)?.keys() ?? [])]
      .filter((position) => !there.has(position) || acknowledged.has(`${name} ${position}`))
      .map(parsePosition)
    if (positions.length > 0) found.set(name, positions)
  }
  return found
}
