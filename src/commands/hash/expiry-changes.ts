import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import type { WriteSteps } from '../services.js'
import { ChosenFields, fieldsToChoose } from './chosen-fields.js'
import { listedSteps, notifyListedFields, notifyRemoval, removalSteps } from './field-events.js'
import { buildExpiry, buildRemoval } from './field-steps.js'

/** What a command does to the expiries of the fields in arguments first … end - 1. */
export interface ExpiryChange {
  readonly first: number
  readonly end: number
  /** Unix ms, Infinity for never. What is not later than now removes the fields. */
  readonly at: number
  readonly event: 'hexpire' | 'hpersist'
  /**
   * Replies for the field in argument i; true when it is changed. expiresAt: NaN when clients see no such field, Infinity when it has no expiry. isAgain: it was named
   * before, and is changed.
   */
  readonly answer: (i: number, expiresAt: number, isAgain: boolean) => boolean
}

/** Replies with an array of the answers, and changes the fields: in slices when they are very many. root: of the hash in argument 1. */
export function changeExpiries(call: Call, root: Ref, change: ExpiryChange): void {
  const { hashes } = call.collections
  const { first, end, at, event } = change
  const removes = at <= call.nowMs
  if (call.bringsMany(end - first) && !(removes && hashes.mayHaveCounters(call.db, root))) {
    call.writeKeyInSlices(1, changeSteps(call, root, change, removes))
    return
  }
  const chosen = fieldsToChoose(call.request, end - first)
  for (const steps = chooseSteps(call, root, change, chosen); steps.next().done !== true;);
  const { distinct, listed, count } = chosen
  if (count === 0) return
  if (removes) {
    hashes.removeKnown(call.database, call.request, distinct)
    notifyRemoval(call, listed, count)
  } else {
    hashes.expireFields(call.database, call.request, distinct, at)
    notifyListedFields(call, event, listed, count)
  }
}

function* changeSteps(call: Call, root: Ref, change: ExpiryChange, removes: boolean): WriteSteps {
  const chosen = new ChosenFields().begin(call.request, change.end - change.first)
  yield* chooseSteps(call, root, change, chosen)
  const { distinct, listed, count } = chosen
  if (count === 0) return
  if (removes) yield* buildRemoval(call, root, distinct)
  else yield* buildExpiry(call, distinct, change.at)
  yield 'commit'
  if (removes) yield* removalSteps(call, listed, count)
  else yield* listedSteps(call, change.event, listed, count)
}

/** Asks for the answer of each field, as they all are now. */
function* chooseSteps(
  call: Call,
  root: Ref,
  { first, end, answer }: ExpiryChange,
  chosen: ChosenFields,
): Generator<undefined, void> {
  const { nowMs } = call
  const { hashes } = call.collections
  const { buf, off, len } = call.request
  call.reply.array(end - first)
  for (let i = first; i < end; i++) {
    const expiresAt = hashes.expiryOf(call.db, root, buf, off[i], len[i], nowMs)
    if (answer(i, expiresAt, chosen.has(i))) chosen.choose(i)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}
