import { assert } from '../base/assert.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import type { EffectReader, PayloadCheck } from '../crdt/effect-reader.js'
import { readTopologyChange, type MemberDescription, type TopologyChange } from './topology-change.js'
import type { Dot, Register, Removal, TopologyMember, TopologySnapshot } from './topology-list.js'

/** active; draining: removed, and what it has is still being fetched; left: it was fetched whole; removed: by force. */
export type MemberState = 'active' | 'draining' | 'left' | 'removed'

const SEED: Dot = { stamp: 0, origin: 0 }

/**
 * The list of members as replicated data: an op-based CRDT over the op log, and a state that two members may also merge when they meet.
 *
 * A member is added once and its entry stays for ever. Removals are added to it and never go: removed stays removed. Region, zone and
 * addresses are last-writer-wins registers. Two members that were added under one name at the same time: the one with the lower dot is it, the
 * other counts as removed by force.
 *
 * Ids are never given twice without asking anybody: each free id belongs to one member, which alone may give it away: to a member that it adds, as
 * that one's id or as part of its pool, or, when it leaves, to an heir. So what happens to an id is one chain of steps, whose length is kept beside the
 * owner; of two states the longer chain is the newer one. The free ids of the configured members are dealt out in turn.
 *
 * Assumes causal delivery of the ops of one origin; a change that is here already, by its number, is passed over.
 */
export class TopologyState implements PayloadCheck {
  /** Told after something has changed: by which op, or null for what came with another state. */
  onChange: (dot: Dot | null) => void = () => undefined
  /** By id. */
  private entries = new Map<number, TopologyMember>()
  /** By id: whose it is to give away, 0 for nobody (it is in use, or was), and the steps that led there. */
  private readonly owners = new Uint8Array(MAX_MEMBER_ID + 1)
  private readonly steps = new Uint16Array(MAX_MEMBER_ID + 1)
  /** By origin: how many of its changes are in here. */
  private readonly changes = new Float64Array(MAX_MEMBER_ID + 1)
  private seedText = ''

  /** Begins with what the configuration says; only while nothing was ever changed. */
  seed(members: readonly MemberDescription[]): void {
    assert(this.isPristine, 'a topology that was changed does not begin anew')
    this.plant(members, SEED)
  }

  /** Nothing was ever changed: each member goes by its own configuration. */
  get isPristine(): boolean {
    return this.changes.every((count) => count === 0)
  }

  /** 1, and one more for each change. Equal in members that know of the same changes. */
  get version(): number {
    return this.changes.reduce((sum, count) => sum + count, 1)
  }

  /** Which members the cluster began with; clusters and configurations that differ in it do not fit. */
  get seeds(): string {
    return this.seedText
  }

  /** Everyone who is or was a member, by id. */
  members(): TopologyMember[] {
    return [...this.entries.values()].sort((a, b) => a.id - b.id)
  }

  member(id: number): TopologyMember | undefined {
    return this.entries.get(id)
  }

  /** The member of that name: the first one that got it. */
  named(name: string): TopologyMember | undefined {
    let found: TopologyMember | undefined
    for (const entry of this.entries.values()) {
      if (entry.name === name && (found === undefined || isBefore(entry, found))) found = entry
    }
    return found
  }

  /** All that makes it a removed one, the loss of its name to another one included. */
  removalsOf(entry: TopologyMember): readonly Removal[] {
    const owner = this.named(entry.name)
    return owner === undefined || owner === entry ? entry.removals : [...entry.removals, { ...owner.added, forced: true }]
  }

  stateOf(entry: TopologyMember): MemberState {
    const removals = this.removalsOf(entry)
    if (removals.length === 0) return 'active'
    if (entry.left !== null) return 'left'
    return removals.some(({ forced }) => forced) ? 'removed' : 'draining'
  }

  /** The free ids that a member may give out, the lowest first. */
  poolOf(id: number): number[] {
    const pool: number[] = []
    for (let free = 1; free <= MAX_MEMBER_ID; free++) if (this.owners[free] === id) pool.push(free)
    return pool
  }

  /** The stamp of an origin's latest op that is known to have changed something here; 0 if none is. */
  newestOf(origin: number): number {
    let newest = 0
    for (const { added, region, zone, address, client, removals, left } of this.entries.values())
      for (const dot of [added, region, zone, address, client, ...removals, left])
        if (dot !== null && dot.origin === origin && dot.stamp > newest) newest = dot.stamp
    return newest
  }

  /** The number of an origin's next change. */
  nextNumber(origin: number): number {
    return this.changes[origin] + 1
  }

  check(effect: EffectReader): void {
    const change = readTopologyChange(effect)
    if (effect.error !== null) return
    const seeds = seedsOf(change)
    if (seeds !== null && !this.isPristine && seeds !== this.seedText) {
      effect.fail(`it comes from a cluster that began with ${seeds}, this one began with ${this.seedText}`)
    }
  }

  /** Applies the effect that the reader stands in; it was checked. */
  applyEffect(effect: EffectReader, origin: number): void {
    this.apply(readTopologyChange(effect), { origin, stamp: effect.stamp })
  }

  apply(change: TopologyChange, dot: Dot): void {
    const { origin } = dot
    if (change.number <= this.changes[origin] || (change.kind === 'list' && change.list === null)) return
    switch (change.kind) {
      case 'seeds':
        // Below every change that somebody made on purpose, at the same time or not.
        this.plant(change.members, { stamp: 0, origin })
        break
      case 'add': {
        const { member, pool } = change
        if (!this.entries.has(member.id)) this.entries.set(member.id, entryOf(member, dot))
        this.give(origin, [member.id], 0)
        this.give(origin, pool, member.id)
        break
      }
      case 'remove':
        this.update(change.id, (entry) => ({
          ...entry,
          removals: withRemoval(entry.removals, { ...dot, forced: change.forced }),
        }))
        break
      case 'set': {
        const { attribute } = change
        this.update(change.id, (entry) => {
          const register = { ...dot, value: attribute.value }
          return isNewer(register, entry[attribute.field]) ? { ...entry, [attribute.field]: register } : entry
        })
        break
      }
      case 'leave':
        this.update(origin, (entry) => ({ ...entry, left: entry.left ?? dot }))
        this.give(origin, change.pool, change.heir)
        break
      case 'list':
        if (change.list !== null) this.takeIn(TopologyState.from(change.list))
        break
    }
    this.changes[origin] = change.number
    this.onChange(dot)
  }

  /** Takes over what another state has beyond this one. The seeds must be the same, or nothing changed here. True when something is new. */
  merge(other: TopologyState): boolean {
    if (other.isPristine) return false
    const before = this.fingerprint()
    this.takeIn(other)
    if (this.fingerprint() === before) return false
    this.onChange(null)
    return true
  }

  private takeIn(other: TopologyState): void {
    if (this.isPristine && this.seedText !== other.seedText) this.clear()
    assert(this.entries.size === 0 || this.seedText === other.seedText, 'topologies of different clusters are not merged')
    const wasEmpty = this.entries.size === 0
    this.seedText = other.seedText
    for (const entry of other.entries.values()) {
      const here = this.entries.get(entry.id)
      this.entries.set(entry.id, here === undefined ? entry : mergeEntries(here, entry))
    }
    for (let id = 1; id <= MAX_MEMBER_ID; id++) {
      if (wasEmpty || other.steps[id] > this.steps[id]) {
        this.owners[id] = other.owners[id]
        this.steps[id] = other.steps[id]
      }
      this.changes[id] = Math.max(this.changes[id], other.changes[id])
    }
  }

  /** All of it, for the codec. */
  snapshot(): TopologySnapshot {
    const ids: number[] = []
    for (let id = 1; id <= MAX_MEMBER_ID; id++) ids.push(id)
    return {
      seeds: this.seedText,
      members: this.members(),
      ids: ids.map((id) => [this.owners[id], this.steps[id]] as const),
      changes: ids.flatMap((id) => (this.changes[id] > 0 ? [[id, this.changes[id]] as const] : [])),
    }
  }

  /** A state from what snapshot() gave. */
  static from(snapshot: TopologySnapshot): TopologyState {
    const state = new TopologyState()
    state.seedText = snapshot.seeds
    for (const entry of snapshot.members) state.entries.set(entry.id, entry)
    snapshot.ids.forEach(([owner, steps], i) => {
      state.owners[i + 1] = owner
      state.steps[i + 1] = steps
    })
    for (const [origin, count] of snapshot.changes) state.changes[origin] = count
    return state
  }

  private clear(): void {
    this.entries.clear()
    this.owners.fill(0)
    this.steps.fill(0)
    this.seedText = ''
  }

  private fingerprint(): string {
    return JSON.stringify(this.snapshot())
  }

  private plant(members: readonly MemberDescription[], dot: Dot): void {
    const seeds = seedTextOf(members)
    if (this.isPristine) {
      this.clear()
      this.seedText = seeds
      for (const member of members) this.entries.set(member.id, { ...entryOf(member, dot), added: SEED })
      const owners = members.map(({ id }) => id).sort((a, b) => a - b)
      let turn = 0
      for (let id = 1; id <= MAX_MEMBER_ID; id++) if (!this.entries.has(id)) this.owners[id] = owners[turn++ % owners.length]
      return
    }
    for (const member of members) {
      const seeded = { ...entryOf(member, dot), added: SEED }
      this.update(member.id, (entry) => mergeEntries(entry, seeded))
    }
  }

  private update(id: number, change: (entry: TopologyMember) => TopologyMember): void {
    const entry = this.entries.get(id)
    if (entry !== undefined) this.entries.set(id, change(entry))
  }

  private give(from: number, ids: readonly number[], to: number): void {
    for (const id of ids) {
      if (this.owners[id] !== from) continue
      this.owners[id] = to
      this.steps[id]++
    }
  }
}

/** With which members the cluster of a change's maker began, where it says so. */
function seedsOf(change: TopologyChange): string | null {
  if (change.kind === 'seeds') return seedTextOf(change.members)
  return change.kind === 'list' && change.list !== null ? change.list.seeds : null
}

function seedTextOf(members: readonly MemberDescription[]): string {
  return [...members]
    .sort((a, b) => a.id - b.id)
    .map(({ id, name }) => `${name} (${id})`)
    .join(', ')
}

function entryOf({ id, name, region, zone, address, client }: MemberDescription, dot: Dot): TopologyMember {
  return {
    id,
    name,
    added: dot,
    region: { ...dot, value: region },
    zone: { ...dot, value: zone },
    address: { ...dot, value: address },
    client: { ...dot, value: client },
    removals: [],
    left: null,
  }
}

function mergeEntries(a: TopologyMember, b: TopologyMember): TopologyMember {
  return {
    ...a,
    region: newer(a.region, b.region),
    zone: newer(a.zone, b.zone),
    address: newer(a.address, b.address),
    client: newer(a.client, b.client),
    removals: b.removals.reduce(withRemoval, a.removals),
    left: a.left ?? b.left,
  }
}

/** One of each origin, forced and not: a member says it once. */
function withRemoval(removals: readonly Removal[], removal: Removal): readonly Removal[] {
  if (removals.some(({ origin, forced }) => origin === removal.origin && forced === removal.forced)) return removals
  return [...removals, removal].sort((a, b) => a.stamp - b.stamp || a.origin - b.origin)
}

function newer<T>(a: Register<T>, b: Register<T>): Register<T> {
  return isNewer(b, a) ? b : a
}

function isNewer(a: Dot, b: Dot): boolean {
  return a.stamp > b.stamp || (a.stamp === b.stamp && a.origin > b.origin)
}

function isBefore(a: TopologyMember, b: TopologyMember): boolean {
  return isNewer(b.added, a.added) || (b.added.stamp === a.added.stamp && b.added.origin === a.added.origin && a.id < b.id)
}
