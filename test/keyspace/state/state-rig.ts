import type { Stability } from '../../../src/crdt/apply-context.js'
import { StreamId } from '../../../src/crdt/stream-id.js'
import type { VersionVector } from '../../../src/crdt/version-vector.js'
import type { Engine } from '../../../src/engine/engine.js'
import { KeyType, SHARD_COUNT, TYPE_COUNT, type Database } from '../../../src/keyspace/database.js'
import { digestOf } from '../../../src/keyspace/digest.js'
import type { Keyspace } from '../../../src/keyspace/keyspace.js'
import { StreamCursor } from '../../../src/keyspace/stream-log.js'
import type { StreamSpace } from '../../../src/keyspace/stream-space.js'
import { StateBytes } from '../../../src/keyspace/state/state-bytes.js'
import { EngineHarness, ManualClock } from '../../support/engine-harness.js'

/** What a snapshot holds: for each database the highest stamps from before its first key was written, and the records of each shard. */
export interface Written {
  readonly highest: readonly { readonly database: number; readonly stamps: Float64Array }[]
  readonly sections: readonly Section[]
}

export interface Section {
  readonly database: number
  readonly shard: number
  readonly bytes: Uint8Array
}

/** Everything that a member holds, in steps of so many bytes, between which `meanwhile` may change it. */
export function writeAll(engine: Engine, bytes = 1 << 20, meanwhile: () => void = () => undefined): Written {
  const { keyspace } = engine
  const highest = databasesOf(keyspace).map(({ database, db }) => ({ database, stamps: db.highest.slice() }))
  const sections: Section[] = []
  const walk = engine.states.walk()
  walk.leastBytes = Math.min(walk.leastBytes, bytes)
  const out = new StateBytes()
  for (let database = 0; database < keyspace.databaseCount; database++) {
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      const db = keyspace.peek(database)
      if (db === undefined) break
      out.reset()
      walk.begin(database, shard)
      const isEmpty = db.shardCount(shard) === 0
      while (!walk.step(out, bytes)) meanwhile()
      if (!isEmpty) meanwhile()
      if (out.length > 0) sections.push({ database, shard, bytes: out.bytes.slice(0, out.length) })
    }
  }
  return { highest, sections }
}

/** Reads it into a member. Gives the number of keys. */
export function loadAll(engine: Engine, { highest, sections }: Written): number {
  const loader = engine.states.loader()
  let keys = 0
  for (const { database, stamps } of highest) engine.keyspace.database(database).highest.set(stamps)
  for (const { database, bytes } of sections) {
    keys += loader.load(database, bytes, 0, bytes.length)
    loader.end()
  }
  return keys
}

function databasesOf(keyspace: Keyspace): { database: number; db: Database }[] {
  return Array.from({ length: keyspace.databaseCount }, (_, database) => ({ database, db: keyspace.peek(database) })).flatMap(
    ({ database, db }) => (db === undefined ? [] : [{ database, db }]),
  )
}

/** A member without data, of another hash seed: as after a restart, before it reads a snapshot. Its time stands still, so that it does nothing by itself. */
export function emptyTwin(of: EngineHarness, seed = 99): EngineHarness {
  const { self, solo } = of.engine.options
  const clock = new ManualClock()
  clock.now = of.clock.now
  const twin = new EngineHarness({ self, solo, hashSeed: seed }, clock)
  twin.engine.keyspace.stability = of.engine.keyspace.stability
  twin.engine.keyspace.setTime(of.clock.now)
  return twin
}

/** What clients can see of all databases, and everything that is kept of each key, hidden or not, as far as it can be told without its form. */
export function everythingOf({ engine }: EngineHarness): { readonly digest: string; readonly records: readonly string[] } {
  const { keyspace, keys, strings, collections } = engine
  const records: string[] = []
  for (const { database, db } of databasesOf(keyspace)) {
    for (let table = 0; table < SHARD_COUNT + TYPE_COUNT; table++) {
      for (let i = 0; i < db.shardCount(table); i++) {
        const ref = db.recordAt(table, i)
        const type = db.type(ref)
        const name = Buffer.from(db.key(ref)).toString('latin1')
        const { orphanedAt: _, ...state } = strings.load(db, ref)
        const lines = type > KeyType.string ? keys.store(type).debug(db, db.root(ref), 1e6).map(withoutForm).sort() : []
        if (type === KeyType.stream) lines.push(...groupsOf(collections.streams.space(db.arena), db.root(ref)))
        const shown = JSON.stringify(state, (_name, value: unknown) =>
          typeof value === 'bigint' ? `${value}n` : value === Infinity ? 'never' : value,
        )
        records.push([`${database} ${name} ${table >= SHARD_COUNT ? 'hidden ' : ''}${type} ${shown}`, ...lines].join('\n  '))
      }
    }
  }
  return { digest: digestOf(keyspace, engine), records: records.sort() }
}

/** What a member has of the groups of a stream: which entries are done, consumers, and what they have pending. */
function groupsOf({ groups, roots, log }: StreamSpace, root: number): string[] {
  const cursor = new StreamCursor()
  return groups.sorted(root).map((group) => {
    const done: string[] = []
    for (let on = log.first(roots.words(root), roots.at(root), cursor); on; on = log.next(cursor)) {
      if (groups.isDone(group, cursor.entry)) done.push(`${cursor.entry.id.toString()}/${cursor.entry.region}`)
    }
    const consumers = groups.consumers(group).map((consumer) => ({
      name: Buffer.from(groups.consumerName(consumer)).toString(),
      active: groups.active(consumer),
      // Not when it was seen last: a consumer that finds nothing is seen without a word in the log.
      pending: groups.consumerPending(consumer).map((ref) => {
        const { pending } = groups
        const id = pending.id(ref, new StreamId()).toString()
        return `${id}/${pending.region(ref)} at ${pending.time(ref)} x${pending.deliveries(ref)}`
      }),
    }))
    const name = Buffer.from(groups.names.name(group)).toString()
    return JSON.stringify({ name, read: groups.entriesRead(group), ...groups.sharedState(group), done, consumers })
  })
}

/** Runs a command of RandomCommands: some of them name what only the member knows. */
export function runRandom(member: EngineHarness, args: readonly string[]): void {
  const [name, key, group] = args
  if (name === 'ACK' || name === 'NACK') {
    const pending = member.run('XPENDING', key, group, '-', '+', '3')
    const ids = Array.isArray(pending) ? pending.map((entry) => String((entry as unknown[])[0])) : []
    if (ids.length > 0 && name === 'ACK') member.run('XACK', key, group, ...ids)
    else if (ids.length > 0) member.run('XNACK', key, group, 'SILENT', 'IDS', `${ids.length}`, ...ids.reverse())
  } else if (name === 'XDEL') {
    const entries = member.run(
      args[2] === 'FIRST' ? 'XRANGE' : 'XREVRANGE',
      key,
      args[2] === 'FIRST' ? '-' : '+',
      args[2] === 'FIRST' ? '+' : '-',
      'COUNT',
      '1',
    )
    const first: unknown = Array.isArray(entries) ? entries[0] : undefined
    if (Array.isArray(first)) member.run('XDEL', key, String(first[0]))
  } else {
    member.run(...args)
  }
}

/** What is stable now, for good: as while a snapshot is written. What is applied moves on. */
export function frozen({ engine, log }: EngineHarness): Stability {
  const stable = new Float64Array(256)
  for (const { origin, last } of log.frames) {
    if (last > stable[origin] && engine.keyspace.stability.covers(origin, last)) stable[origin] = last
  }
  return stabilityOf(stable, engine.applied)
}

export function stabilityOf(stable: Float64Array, applied: VersionVector): Stability {
  return {
    covers: (member, stamp) => stable[member] >= stamp,
    coversAllUpTo: (stamp) => applied.stamps.every((last, member) => stable[member] >= Math.min(stamp, last)),
  }
}

/** Looks again at everything that may be folded or dropped. */
export function settleAll({ engine }: EngineHarness): void {
  const { keyspace, keys } = engine
  for (const { db } of databasesOf(keyspace)) {
    // A large collection is settled in several goes.
    for (let go = 0; go < 4; go++) for (let table = 0; table < db.unsettled.length; table++) keys.settleTable(db, table)
  }
}

/** A sorted set that is packed does not say the score of a register beside the visible one. */
function withoutForm(line: string): string {
  return line.replace(/ score \S+$/, '')
}

/** Hashes of what was written, by database and key. */
export function hashesOf(engine: Engine, { sections }: Written): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>()
  for (const { database, bytes } of sections) {
    engine.states.hashes().read(bytes, 0, bytes.length, (buf, off, len, high, low) => {
      hashes.set(`${database} ${Buffer.from(buf).toString('latin1', off, off + len)}`, `${high.toString(16)} ${low.toString(16)}`)
    })
  }
  return new Map([...hashes].sort())
}
