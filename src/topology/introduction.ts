import type { TopologyState } from './topology-state.js'

/** Who a member says it is. */
export interface Introduced {
  readonly id: number
  readonly name: string
}

/**
 * Why a list of members is not believed that somebody brings who is in no list here; null: it is to be merged. Its certificate was checked before.
 *
 * It may be one that was added while this member was away, or after the copy was made that this one was started from. Then its list descends from the one here, and knows of
 * every removal that is known here. Who was added by a removed member that has not heard of its removal lacks that removal, and stays a stranger: what is called stable here no longer counts what
 * the removed one and its friends may have (departures.ts). Additions and addresses that it lacks do no harm: merging loses none.
 */
export function doubtOf(here: TopologyState, brought: TopologyState, self: number, stranger: Introduced): string | null {
  if (brought.isPristine || brought.seeds !== here.seeds)
    return `its cluster began with ${brought.seeds}, this one with ${here.seeds}`
  const own = here.member(self)
  if (own === undefined || brought.member(self)?.name !== own.name) return 'this member is not in it'
  const entry = brought.member(stranger.id)
  if (entry?.name !== stranger.name) return `${stranger.name} is not in it as member ${stranger.id}`
  const state = brought.stateOf(entry)
  if (state !== 'active' && state !== 'draining') return `${stranger.name} is not a member by it either`
  for (const removed of here.members()) {
    const known = brought.member(removed.id)
    if (known !== undefined && known.name !== removed.name) return `it gives the id of ${removed.name} to ${known.name}`
    const knows = here
      .removalsOf(removed)
      .every(
        ({ origin, forced }) =>
          known !== undefined && brought.removalsOf(known).some((each) => each.origin === origin && each.forced === forced),
      )
    if (!knows) return `it does not know that ${removed.name} was removed`
  }
  return null
}
