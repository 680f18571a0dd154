import type { MemberId } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { PeerKnowledge } from './peer-knowledge.js'
import type { MemberInfo } from './sync-host.js'

/** A peer as far as its departure goes. */
export interface DepartingPeer {
  readonly member: MemberInfo
  readonly knowledge: PeerKnowledge
}

/**
 * Which removed members have departed: no op of theirs that is not applied here will ever be applied in any member, so nobody needs to wait for what
 * they report. See PeerSync.stable(), which leaves them out.
 *
 * One that *left* has said in its last op that it is the last one. When that op is applied here, so are all of its ops: its frames are applied in order.
 *
 * One that was removed *by force* says nothing any more. Call the members that are neither removed by force nor departed the remaining ones. A member that has
 * applied a forced removal of R takes no frames from R itself, only from others. All removals by force that are known here are judged together: F. Suppose
 * for every remaining member C there is a report V of what was durable at C, with V[C] <= applied here[C], that covers a forced removal of every
 * R in F; own durable covers them too; and V[R] <= applied here[R]. Then
 * (1) C took frames from R, or from another one of F, only before the removal in its log, so they lie within the prefix that V describes: whatever of R came
 *     into the remaining members is up to some V[R], and thus applied here. More of it cannot come later, for remaining members have R's frames only from
 *     each other.
 * (2) A member N that is not known here was added by an op of some member Y that is not applied here. If Y remains, that op comes after the prefix V, so
 *     after the removals: N's list of members had them from its first day and N never spoke with R. If Y departed or is in F, that op never comes, and
 *     no remaining member knows N.
 * The prefix must be durable, or a crash of C would take the removal back while R still speaks.
 */
export function departedMembers(
  peers: Iterable<DepartingPeer>,
  applied: VersionVector,
  durable: VersionVector,
): ReadonlySet<MemberId> {
  const departed = new Set<MemberId>()
  const forced: MemberInfo[] = []
  const remaining: DepartingPeer[] = []
  for (const peer of peers) {
    const { id, removal } = peer.member
    if (removal !== undefined && removal.lastStamp > 0 && applied.covers(id, removal.lastStamp)) departed.add(id)
    else if (removal !== undefined && removal.forced.length > 0) forced.push(peer.member)
    else remaining.push(peer)
  }
  for (const { knowledge } of remaining) knowledge.settle(applied)
  const reports = remaining.map(({ knowledge }) => knowledge.settled)
  const knowAll = [durable, ...reports].every((report) => forced.every(({ removal }) => coversAny(report, removal)))
  const isAllHere = reports.every((report) => forced.every(({ id }) => applied.covers(id, report.get(id))))
  if (knowAll && isAllHere) for (const { id } of forced) departed.add(id)
  return departed
}

function coversAny(vector: VersionVector, removal: MemberInfo['removal']): boolean {
  return removal?.forced.some(({ origin, stamp }) => vector.covers(origin, stamp)) === true
}
