import { CommandError } from '../commands/command-error.js'
import type { LastWrites, TopologyEntry, TopologyService } from '../commands/services.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId } from '../base/ids.js'
import type { MemberDescription, TopologyAttribute, TopologyChange } from '../topology/topology-change.js'
import type { TopologyMember } from '../topology/topology-list.js'
import type { Member } from './member.js'

/** A member hands on a quarter of the free ids that it has: it can add some fifteen others from 85, and they still others. */
const POOL_SHARE = 4

/** CRDT.TOPOLOGY, on a member. Each change is an op of this member: it needs nobody else. */
export class MemberTopology implements TopologyService {
  constructor(private readonly theMember: () => Member) {}

  private get member(): Member {
    return this.theMember()
  }

  private get state(): Member['engine']['topology'] {
    return this.member.engine.topology
  }

  private get self(): MemberId {
    return this.member.topology.self
  }

  get version(): number {
    return this.state.version
  }

  get ownState(): TopologyService['ownState'] {
    return this.member.membership.ownState
  }

  get isDurable(): boolean {
    return this.member.membership.isDurable
  }

  list(): readonly TopologyEntry[] {
    const { state, member } = this
    return state.members().map((entry) => ({
      id: entry.id,
      name: entry.name,
      region: entry.region.value,
      zone: entry.zone.value,
      address: entry.address.value,
      client: entry.client.value,
      state: state.stateOf(entry),
      freeIds: state.poolOf(entry.id).length,
      lastStamp: member.engine.position().get(entry.id as MemberId),
    }))
  }

  add(description: Omit<MemberDescription, 'id'>): number {
    const { state, self, member } = this
    const { name } = description
    this.mustTakeChanges()
    if (state.named(name) !== undefined) {
      throw new CommandError(`ERR ${name} is or was a member; a name is never used again, choose another one`)
    }
    const active = this.active()
    if (active.length >= LIMITS.maxMembers) throw new CommandError(`ERR a cluster has at most ${LIMITS.maxMembers} members`)
    const outdated = member.sync?.peersWithoutTopology() ?? []
    if (outdated.length > 0) {
      throw new CommandError(
        `ERR ${outdated.join(', ')} runs an older version, which knows no other list of members than its own: upgrade it first`,
      )
    }
    // A restored cluster begins with all ids, and with the dots of those that the one before gave away.
    const used = member.engine.position()
    const [id, ...rest] = state.poolOf(self).filter((free) => used.get(free as MemberId) === 0)
    if (id === undefined) throw new CommandError(this.noIdLeft(active))
    const pool = rest.filter((_, i) => i % POOL_SHARE === POOL_SHARE - 1)
    this.change((number) => ({ kind: 'add', number, member: { ...description, id }, pool }))
    return id
  }

  remove(name: string, forced: boolean): readonly LastWrites[] {
    const { state, self, member } = this
    const named = state.named(name)
    const { membership, log } = member
    const waitsForIt = forced && named !== undefined && log.refusal === null && membership.mayBeginWithout(named.id)
    if (!waitsForIt) this.mustTakeChanges()
    const entry = this.find(name)
    const present = state.stateOf(entry)
    if (present === 'left' || present === 'removed' || (present === 'draining' && !forced)) {
      throw new CommandError(
        present === 'draining'
          ? `ERR ${name} was removed and is being drained; if it is gone for good, remove it by force`
          : `ERR ${name} was removed before`,
      )
    }
    if (!this.active().some(({ id }) => id !== entry.id)) throw new CommandError('ERR the last member cannot be removed')
    if (forced && entry.id === self)
      throw new CommandError('ERR a member does not remove itself by force; without force it is drained')
    if (waitsForIt) membership.beginWithout()
    this.change((number) => ({ kind: 'remove', number, id: entry.id, forced }))
    const removed = entry.id as MemberId
    const known: LastWrites[] = [{ name: this.nameOf(self), lastStamp: member.applied.get(removed) }]
    for (const peer of member.sync?.peers() ?? []) {
      if (peer.member.id !== removed) known.push({ name: peer.member.name, lastStamp: peer.applied.get(removed) })
    }
    return known
  }

  set(name: string, attribute: TopologyAttribute): void {
    this.mustTakeChanges()
    const entry = this.find(name)
    const present = this.state.stateOf(entry)
    if (present !== 'active') throw new CommandError(`ERR ${name} was removed`)
    this.change((number) => ({ kind: 'set', number, id: entry.id, attribute }))
  }

  private change(make: (number: number) => TopologyChange): void {
    const { engine, membership } = this.member
    for (const change of membership.numbered(make)) engine.effects.changeTopology(change)
  }

  private mustTakeChanges(): void {
    const { member } = this
    if (member.sync === null) {
      throw new CommandError(
        'ERR this member has no peer port: give its configuration the section peers (port, tls-cert-file, tls-key-file, tls-ca-cert-file, members with ' +
          'itself), make its certificate with `meridian certs`, and restart it',
      )
    }
    const { refusal } = member.log
    if (refusal !== null) throw new CommandError(`MISCONF Writes are refused: ${refusal.message}`)
    const { writeRefusal } = member.membership
    if (writeRefusal !== null) throw new CommandError(writeRefusal)
  }

  private active(): TopologyMember[] {
    return this.state.members().filter((entry) => this.state.stateOf(entry) === 'active')
  }

  private find(name: string): TopologyMember {
    const entry = this.state.named(name)
    if (entry === undefined) {
      throw new CommandError(
        `ERR there is no member ${name}; there are ${this.active()
          .map((each) => each.name)
          .join(', ')}`,
      )
    }
    return entry
  }

  private nameOf(id: number): string {
    return this.state.member(id)?.name ?? `member ${id}`
  }

  private noIdLeft(active: readonly TopologyMember[]): string {
    const richest = active
      .map(({ id, name }) => ({ name, count: this.state.poolOf(id).length }))
      .sort((a, b) => b.count - a.count)[0]
    return richest !== undefined && richest.count > 0
      ? `ERR ${this.nameOf(this.self)} has no free member id left; ${richest.name} has ${richest.count}: add the member there`
      : 'ERR no member has a free member id left: ids are never used again, and there are 255'
  }
}
