import { VersionVector } from '../../src/crdt/version-vector.js'
import { ShardClearer } from '../../src/keyspace/state/shard-clearer.js'
import { StreamState } from '../../src/keyspace/state/stream-state.js'
import type { StateReader } from '../../src/keyspace/state/state-reader.js'
import { PendingLists } from '../../src/keyspace/stream-pending.js'
import { StringStore } from '../../src/keyspace/string-store.js'
import { MemberIntake } from '../../src/node/member-intake.js'
import { MemberShelf } from '../../src/node/snapshot-shelf.js'
import { Retention, type RetentionInput } from '../../src/oplog/retention.js'
import { SegmentWriter } from '../../src/oplog/segment-writer.js'
import { PeerKnowledge } from '../../src/peer-sync/peer-knowledge.js'
import { DigestList, ShardSum, SHARD_SUM_BYTES } from '../../src/peer-sync/transfer/shard-sum.js'
import { SnapshotReceiver } from '../../src/peer-sync/transfer/snapshot-receiver.js'
import { both, field, patch, patchGetter, patchHidden, type Call, type PlantedBug } from './planting.js'

/** What a shard holds is not compared at its end: mistakes before it are not mended by asking for all of it. */
function sumsNotCompared(): () => void {
  return patch(ShardSum, 'encoded', () => () => new Uint8Array(SHARD_SUM_BYTES))
}

/** Runs a part of the receiving half as one that has nothing. */
function havingNothing(self: object, run: () => unknown): unknown {
  const receiver = self as { sources: object }
  const { sources } = receiver
  receiver.sources = Object.create(sources, { applied: { value: new VersionVector() } }) as object
  try {
    return run()
  } finally {
    receiver.sources = sources
  }
}

/** Mistakes in how members take the state of one another, and in what they keep for that. */
export const TRANSFER_BUGS: readonly PlantedBug[] = [
  {
    name: 'transfer-shard-called-equal',
    what: 'a key that both sides have is taken for equal',
    profile: 'transfer-strings',
    apply: () =>
      both(
        sumsNotCompared(),
        patch(DigestList, 'see', (original, self) => (record) => {
          original(record)
          return (field(self, 'states') as Map<number, unknown>).has(record.keyHash)
        }),
      ),
  },
  {
    name: 'transfer-keeps-deleted-keys',
    what: 'keys that the other side does not have any more stay',
    profile: 'transfer',
    apply: () =>
      both(
        sumsNotCompared(),
        patchHidden(ShardClearer, 'drop', () => [].values()),
      ),
  },
  {
    name: 'transfer-vector-of-its-end',
    what: 'a snapshot of another member is taken for the place where writing it ended',
    profile: 'transfer',
    apply: () =>
      patch(MemberIntake, 'begin', (original) => (offer) => {
        original({ ...offer, header: { ...offer.header, vector: offer.end.seen } })
      }),
  },
  {
    name: 'transfer-named-before-its-log',
    what: 'the snapshot of what was taken gets its name before the log that goes on behind it is on the disk',
    profile: 'transfer-groups',
    apply: () =>
      patchHidden(SegmentWriter, 'prepareRestart', (self, original, [vector, done]) => {
        const options = field(self, 'options') as { disk: object }
        const { disk } = options
        options.disk = Object.create(disk, {
          syncFolderLater: { value: (_folder: string, then: (error: null) => void) => then(null) },
        }) as object
        original(vector, done)
        options.disk = disk
      }),
  },
  {
    name: 'transfer-of-who-lacks-something',
    what: 'the state of any member is taken, whatever it lacks of what is here',
    profile: 'transfer',
    apply: () =>
      both(
        patchHidden(SnapshotReceiver, 'seek', (self, original) => havingNothing(self, original)),
        patchHidden(SnapshotReceiver, 'begin', (self, original, args) => havingNothing(self, () => original(...args))),
      ),
  },
  {
    name: 'cut-transfer-goes-on',
    what: 'a member whose transfer was cut takes frames and writes again, with half of a state',
    profile: 'transfer',
    apply: () =>
      patchHidden(SnapshotReceiver, 'cut', (self, original, args) => {
        const isUnderWay = field(self, 'fetch') !== null
        original(...args)
        if (!isUnderWay) return
        ;(field(self, 'intake') as { isTouched: boolean }).isTouched = false
        ;(field(self, 'end') as Call).call(self)
      }),
  },
  {
    name: 'log-trimmed-without-majority',
    what: 'beyond the budget the log is let go, whoever has it',
    profile: 'transfer',
    apply: () =>
      patchHidden(Retention, 'mayGo', (self, original, args) => {
        const input = (field(self, 'input') as () => RetentionInput | null)()
        if (input === null) return false
        const isOver = Retention.backlogBytes(field(self, 'log') as never, input.neededFrom) > input.budgetBytes
        return original(...args) === true || ((args[0] as number) <= input.neededFrom && isOver)
      }),
  },
  {
    name: 'log-trimmed-by-reports-ahead',
    what: 'beyond the budget the log goes also by reports of which not everything is here',
    profile: 'retention',
    apply: () =>
      patch(PeerKnowledge, 'follow', (_original, knowledge) => () => {
        knowledge.followed.copyFrom(knowledge.durable)
      }),
  },
  {
    name: 'removed-counts-itself',
    what: 'a member that was removed counts itself among those that stay, and lets go of what only it and others that go have',
    profile: 'retention',
    apply: () =>
      patchHidden(Retention, 'mayGo', (self, original, args) => {
        const { input } = self as { input: () => RetentionInput | null }
        const whole = input()
        Object.assign(self, { input: () => whole && { ...whole, stays: true } })
        try {
          return original(...args)
        } finally {
          Object.assign(self, { input })
        }
      }),
  },
  {
    name: 'log-never-trimmed',
    what: 'what a transfer once needed of the log is kept for ever',
    profile: 'transfer',
    apply: () => patchGetter(MemberShelf, 'neededFrom', () => 0),
  },
  {
    name: 'transfer-forgets-own-consumers',
    what: 'with the state of a stream that comes from another member the consumers of this one are gone',
    profile: 'transfer-groups',
    apply: () => patch(StreamState, 'giveBack', () => () => undefined),
  },
  {
    name: 'transfer-skips-what-is-pending-there',
    what: 'what another member has delivered and nobody has acknowledged is not delivered here',
    profile: 'transfer-groups',
    apply: () =>
      patchHidden(StreamState, 'takeDeliveriesBack', (self) => {
        ;(field(self, 'undelivered') as Map<unknown, unknown>).clear()
      }),
  },
  {
    name: 'transfer-forgets-acknowledgements',
    what: 'what was acknowledged anywhere is delivered once more by a member that has taken a state',
    profile: 'transfer-groups',
    apply: () =>
      patchHidden(StreamState, 'readDone', (_self, original, args) => {
        const reader = args[2] as StateReader
        if (reader.isForeign) reader.raw(reader.left)
        else original(...args)
      }),
  },
  {
    name: 'transfer-delivers-what-was-claimed-by-force',
    what: 'what was acknowledged, and claimed by force since, is delivered once more by a member that has taken a state',
    profile: 'transfer-groups',
    apply: () => patch(PendingLists, 'wasAcknowledged', () => () => false),
  },
  {
    name: 'log-kept-for-who-is-away',
    what: 'what somebody lacks of the log is kept, whatever the budget',
    profile: 'transfer',
    apply: () =>
      patchHidden(Retention, 'mayGo', (self, original, args) => {
        const input = (field(self, 'input') as () => RetentionInput | null)()
        return (
          original(...args) === true && input?.durableElsewhere.every((durable) => durable.dominates(args[1] as VersionVector))
        )
      }),
  },
  {
    name: 'taken-counter-loses-increments',
    what: 'in a state that comes from another member increments beside a value do not count',
    profile: 'transfer-strings',
    apply: () => {
      let isTaking = false
      return both(
        sumsNotCompared(),
        patch(MemberIntake, 'load', (original) => (...args) => {
          isTaking = true
          try {
            return original(...args)
          } finally {
            isTaking = false
          }
        }),
        patch(StringStore, 'write', (original) => (db, from, state, ...rest) => {
          if (isTaking && state.registers.length > 0) state.contributions.length = 0
          return original(db, from, state, ...rest)
        }),
      )
    },
  },
]
