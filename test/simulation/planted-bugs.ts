import { MAX_MEMBER_ID, type MemberId, type Stamp } from '../../src/base/ids.js'
import { Errors } from '../../src/commands/command-error.js'
import { FrameView } from '../../src/crdt/frame.js'
import { FrameWriter } from '../../src/crdt/frame-writer.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { HybridClock } from '../../src/crdt/hybrid-clock.js'
import type { EffectReader } from '../../src/crdt/effect-reader.js'
import type { ApplyContext } from '../../src/crdt/apply-context.js'
import { Engine } from '../../src/engine/engine.js'
import { Replay } from '../../src/engine/replay.js'
import { Evictor } from '../../src/engine/eviction/evictor.js'
import { ExpiryCycle } from '../../src/engine/expiry-cycle.js'
import { FrameApplier } from '../../src/keyspace/frame-applier.js'
import { Effects } from '../../src/keyspace/effects.js'
import { EVERY_TYPE, Keys } from '../../src/keyspace/keys.js'
import { HashStore } from '../../src/keyspace/hash-store.js'
import { HllStore } from '../../src/keyspace/hll-store.js'
import { CopiedIds } from '../../src/keyspace/copied-ids.js'
import { HeldKeys } from '../../src/engine/held-keys.js'
import { ListChunks } from '../../src/keyspace/list-chunk.js'
import { ListEdits } from '../../src/keyspace/list-edits.js'
import { MapStore } from '../../src/keyspace/map-store.js'
import { ACK_READ } from '../../src/keyspace/stream-codec.js'
import { StreamGroups } from '../../src/keyspace/stream-groups.js'
import { StreamMarkWrites } from '../../src/keyspace/stream-mark-writes.js'
import { StreamMarks } from '../../src/keyspace/stream-marks.js'
import { AckWriter, TrimmedWriter } from '../../src/keyspace/stream-op-writers.js'
import { StreamRestore } from '../../src/keyspace/stream-restore.js'
import { StreamStore } from '../../src/keyspace/stream-store.js'
import { ZsetStore } from '../../src/keyspace/zset-store.js'
import type { Keyspace } from '../../src/keyspace/keyspace.js'
import { ExpiryMode, NO_RESETS, StringStore } from '../../src/keyspace/string-store.js'
import { Membership } from '../../src/node/membership.js'
import { Member } from '../../src/node/member.js'
import { MemberTopology } from '../../src/node/topology-service.js'
import { Snapshotter } from '../../src/node/snapshotter.js'
import { ReplicatedStability } from '../../src/node/replicated-stability.js'
import { Backups } from '../../src/node/backups.js'
import { Recovery } from '../../src/node/recovery.js'
import { GroupCommit } from '../../src/oplog/group-commit.js'
import { LogScan } from '../../src/oplog/log-scan.js'
import { LogRecovery } from '../../src/oplog/open-log.js'
import { SegmentedLog } from '../../src/oplog/segmented-log.js'
import { PeerSync } from '../../src/peer-sync/peer-sync.js'
import { Peer } from '../../src/peer-sync/peer.js'
import { SourceChoice } from '../../src/peer-sync/source-choice.js'
import type { MemberInfo, Topology } from '../../src/peer-sync/sync-host.js'
import type { RdbStream, RdbStreamGroup } from '../../src/rdb/value.js'
import { TopologyState } from '../../src/topology/topology-state.js'
import { RESTORED_VERSION } from './meridian-backup.js'
import { both, countExercisedAnew, field, patch, patchGetter, patchHidden, type Call, type PlantedBug } from './planting.js'
import { SimDisk } from './sim-disk.js'
import { TRANSFER_BUGS } from './transfer-bugs.js'

/** Lets an effect remove everything that is here, whatever its origin had observed. */
function observingEverything(self: object, run: () => unknown): unknown {
  const context = field(self, 'context') as ApplyContext
  const { local } = context
  context.local = true
  try {
    return run()
  } finally {
    context.local = local
  }
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'sync-again-after-a-failed-one',
    what: 'a failed sync is forgotten, and the next one is believed',
    profile: 'broken-disks',
    apply: () =>
      patchHidden(GroupCommit, 'fail', (self) => {
        Object.assign(self, { wanted: true })
        return Reflect.apply(GroupCommit.prototype.request, self, [])
      }),
  },
  {
    name: 'cache-believed-after-a-failed-sync',
    what: 'a process that is started again after a failed sync takes what it reads for what is on the disk',
    profile: 'broken-disks',
    apply: () => patchHidden(LogRecovery, 'mend', () => undefined),
  },
  {
    name: 'no-causal-gate',
    what: 'a frame is applied before what its origin had seen',
    apply: () => patch(FrameView, 'contextCoveredBy', () => () => true),
  },
  {
    name: 'clock-ignores-stamps-seen',
    what: 'the hybrid clock does not move past the stamps of others, nor past its own of before the restart',
    apply: () => patch(HybridClock, 'observe', () => () => undefined),
  },
  {
    name: 'clock-goes-back-on-restart',
    what: 'a restarted member begins with its wall clock and may give out a stamp again',
    apply: () =>
      patch(Replay, 'recover', (original, { replica }) => (frame) => {
        original(frame)
        replica.hlc.last = 0 as Stamp
      }),
  },
  {
    name: 'chain-forgotten-on-restart',
    what: 'the first frame after a restart does not continue the chain of its origin',
    apply: () => patch(FrameWriter, 'setPrevious', () => () => undefined),
  },
  {
    name: 'sync-does-nothing',
    what: 'the disk says that bytes are durable which are not',
    apply: () => patch(SimDisk, 'makeDurable', () => () => null),
  },
  {
    name: 'send-before-sync',
    what: 'frames count as durable, and are sent, as soon as they are appended',
    apply: () => patchGetter(SegmentedLog, 'durable', (log) => (log as SegmentedLog).appended),
  },
  {
    name: 'torn-tail-stays',
    what: 'an unfinished frame at the end of the log is not cut off before more is appended',
    apply: () => patchHidden(LogRecovery, 'cutTornTail', () => undefined),
  },
  {
    name: 'last-arrival-wins',
    what: 'a write removes what is here, observed or not',
    apply: () =>
      patch(
        StringStore,
        'set',
        (original, self) =>
          (...args) =>
            observingEverything(self, () => original(...args)),
      ),
  },
  {
    name: 'delete-removes-unobserved',
    what: 'a delete removes what is here, observed or not',
    apply: () =>
      patch(
        StringStore,
        'remove',
        (original, self) =>
          (...args) =>
            observingEverything(self, () => original(...args)),
      ),
  },
  {
    name: 'expiry-removes-unobserved',
    what: 'the removal of a due key removes writes that its origin had not seen',
    apply: () =>
      patch(StringStore, 'remove', (original, self) => (db, ref, keepExpiry, resets) => {
        if (keepExpiry) observingEverything(self, () => original(db, ref, keepExpiry, resets))
        else original(db, ref, keepExpiry, resets)
      }),
  },
  {
    name: 'flush-removes-unobserved',
    what: 'a flush empties the database, whatever it had observed',
    apply: () => patch(Keys, 'flush', (_original, self) => (index) => (field(self, 'keyspace') as Keyspace).reset(index)),
  },
  {
    name: 'last-expire-wins',
    what: 'of concurrent times the one that arrives last counts',
    apply: () =>
      patch(
        StringStore,
        'expire',
        (original, self) =>
          (...args) =>
            observingEverything(self, () => original(...args)),
      ),
  },
  {
    name: 'resets-ignored',
    what: 'writes and deletes do not take away the increments they had seen',
    apply: () =>
      both(
        patch(
          StringStore,
          'set',
          (original) => (db, from, key, keyOff, keyLen, value, off, len, mode, at, _resets) =>
            original(db, from, key, keyOff, keyLen, value, off, len, mode, at, NO_RESETS),
        ),
        patch(StringStore, 'remove', (original) => (db, ref, keepExpiry, _resets) => original(db, ref, keepExpiry, NO_RESETS)),
      ),
  },
  {
    name: 'contribution-base-lost',
    what: 'a contribution that is new here begins without what earlier resets took away',
    apply: () =>
      both(
        patch(
          StringStore,
          'increment',
          (original) => (db, ref, key, keyOff, keyLen, epoch, total, _n) =>
            original(db, ref, key, keyOff, keyLen, epoch, total, total),
        ),
        patch(
          StringStore,
          'incrementExact',
          (original) => (db, ref, key, keyOff, keyLen, epoch, total, _n) =>
            original(db, ref, key, keyOff, keyLen, epoch, total, total),
        ),
      ),
  },
  {
    name: 'unstable-edits-folded',
    what: 'edits are folded, and hidden values dropped, before every member has them',
    apply: () => patch(ReplicatedStability, 'covers', () => () => true),
  },
  {
    name: 'orphan-expiry-dropped',
    what: 'the time of a removed key is forgotten while a concurrent write may still arrive',
    profile: 'expiry',
    apply: () => patch(ReplicatedStability, 'coversAllUpTo', () => () => true),
  },
  {
    name: 'expired-too-early',
    what: 'keys are removed before their time',
    apply: () =>
      patchHidden(ExpiryCycle, 'mayRemove', (self, original, args) => {
        const keyspace = field(self, 'keyspace') as Keyspace
        keyspace.nowMs += 50
        const may = original(...args)
        keyspace.nowMs -= 50
        return may
      }),
  },
  {
    name: 'due-keys-stay',
    what: 'nobody removes keys whose time is up',
    apply: () => patchHidden(ExpiryCycle, 'mayRemove', () => false),
  },
  {
    name: 'remote-append-twice',
    what: 'text that is appended elsewhere is appended twice here',
    apply: () =>
      patch(StringStore, 'edit', (original, self) => (db, ref, key, keyOff, keyLen, edit) => {
        const remote = !(field(self, 'context') as ApplyContext).local && edit.kind === 'append'
        original(db, ref, key, keyOff, keyLen, remote ? { kind: 'append', bytes: Buffer.concat([edit.bytes, edit.bytes]) } : edit)
      }),
  },
  {
    name: 'eviction-stays-local',
    what: 'a key that is evicted in one region stays in the others',
    profile: 'memory',
    apply: () =>
      patchHidden(Evictor, 'evict', (self, _original, [database, key]) => {
        const keyspace = field(self, 'keyspace') as Keyspace
        const keys = field(field(self, 'effects') as Effects, 'keys') as Keys
        const bytes = key as Uint8Array
        keys.remove(keyspace.database(database as number), EVERY_TYPE, bytes, 0, bytes.length, false, NO_RESETS)
      }),
  },
  {
    name: 'eviction-counts-as-due',
    what: 'a key is evicted as if its time were up, so that its expiry stays',
    profile: 'memory',
    apply: () =>
      patchHidden(Evictor, 'evict', (self, _original, [database, key]) => {
        const bytes = key as Uint8Array
        ;(field(self, 'effects') as Effects).remove(database as number, bytes, 0, bytes.length, true)
        ;(field(self, 'onEvicted') as (database: number, key: Uint8Array) => void)(database as number, bytes)
      }),
  },
  {
    name: 'refused-write-is-half-done',
    what: 'a command that is refused because there is no memory has removed a key',
    profile: 'memory',
    apply: () =>
      patchHidden(Engine, 'reject', (self, original, args) => {
        const [session, , , message] = args as [{ database: number }, unknown, unknown, string]
        if (message === Errors.outOfMemory) {
          const key = Buffer.from('k0')
          ;(field(self, 'effects') as Effects).remove(session.database, key, 0, key.length)
          ;(field(self, 'endOp') as Call).call(self)
        }
        original(...args)
      }),
  },
  {
    name: 'remote-writes-refused-for-memory',
    what: 'a member that is short of memory forgets what others write',
    profile: 'memory',
    apply: () =>
      patch(Member, 'applyFrame', (original, { engine }) => (frame) => {
        const { memory, replica } = engine
        const { applier } = replica
        const { apply } = applier
        if (memory.isOver) applier.apply = () => undefined
        original(frame)
        applier.apply = apply
      }),
  },
  {
    name: 'types-not-elected',
    what: 'the type that was there first stays visible, whatever is newer',
    profile: 'types',
    apply: () => patch(Keys, 'elect', () => () => undefined),
  },
  {
    name: 'collection-removed-unobserved',
    what: 'a delete removes a collection with what its origin had not seen of it',
    profile: 'lists',
    apply: () => patchHidden(Keys, 'removeContent', (self, original, args) => observingEverything(self, () => original(...args))),
  },
  {
    name: 'list-range-removes-unobserved',
    what: 'elements that are removed by range go whether observed or not',
    profile: 'list-edits',
    apply: () =>
      patch(ListEdits, 'removeRange', (original) => (first, last, context) => {
        const { local } = context
        context.local = true
        original(first, last, context)
        context.local = local
      }),
  },
  {
    name: 'list-position-reused',
    what: 'the position of an element that was removed from the end is given to the next',
    profile: 'lists',
    apply: () => patch(ListChunks, 'endIndex', (_original, self) => (chunk) => self.lastIndex(chunk) + 1),
  },
  {
    name: 'hll-add-survives-removal',
    what: 'an add that had not seen the removal of its HyperLogLog counts',
    profile: 'hlls',
    apply: () => patchHidden(HllStore, 'hasSeenRemovals', () => true),
  },
  {
    name: 'stream-ack-not-replicated',
    what: 'what is acknowledged in one region is read again in another',
    profile: 'stream-groups',
    apply: () =>
      patch(StreamStore, 'ack', (original, self) => (space, root, group, id, region) => {
        const isLocal = (field(self, 'context') as ApplyContext).local
        return isLocal && original(space, root, group, id, region)
      }),
  },
  {
    name: 'stream-trim-takes-unobserved',
    what: 'a trim takes entries that its origin had not seen',
    profile: 'streams',
    apply: () =>
      patch(
        StreamStore,
        'trimTo',
        (original, self) =>
          (...args) =>
            observingEverything(self, () => original(...args)),
      ),
  },
  {
    name: 'stream-mark-cleared-unobserved',
    what: 'new settings forget also what producers mark elsewhere at the same time',
    profile: 'streams',
    apply: () => patchHidden(StreamMarks, 'clear', (_self, original, [root]) => original(root, { covers: () => true })),
  },
  {
    name: 'stream-destroy-forgotten',
    what: 'what was done to a group at the same time as its destruction counts',
    profile: 'stream-groups',
    apply: () => patchHidden(StreamStore, 'knowsRemovals', () => true),
  },
  {
    name: 'stream-setid-forgotten',
    what: 'what was acknowledged without knowing that the group was set back counts',
    profile: 'copied-groups',
    apply: () => patch(StreamGroups, 'knowsPlace', () => () => true),
  },
  {
    name: 'stream-noack-not-replicated',
    what: 'what a region reads without acknowledgement is read again in another',
    profile: 'stream-groups',
    apply: () =>
      patchHidden(StreamStore, 'walkAck', (self, original, [space, root, effect]) => {
        const reader = effect as EffectReader
        const isRead = reader.bytes[reader.position] === ACK_READ
        const isForeign = (field(self, 'context') as ApplyContext).origin !== (self as StreamStore).self
        if (!isRead || !isForeign) return original(space, root, effect)
        // Walked without a space it changes nothing.
        original(null, 0, effect)
        return root
      }),
  },
  {
    name: 'stream-claim-keeps-owner',
    what: 'an entry that is pending stays with its consumer when another claims it',
    profile: 'stream-groups',
    apply: () =>
      patch(StreamGroups, 'assign', (original, groups) => (group, id, region, consumer, timeMs, deliveries) => {
        const ref = groups.findPending(group, id, region)
        return original(group, id, region, ref === 0 ? consumer : groups.pending.consumer(ref), timeMs, deliveries)
      }),
  },
  {
    name: 'stream-release-keeps-owner',
    what: 'an entry that is pending stays with its consumer when it is given back',
    profile: 'group-commands',
    apply: () =>
      patch(StreamGroups, 'release', (original, groups) => (group, id, region, order, deliveries) => {
        const ref = groups.findPending(group, id, region)
        if (ref === 0) original(group, id, region, order, deliveries)
        else groups.assign(group, id, region, groups.pending.consumer(ref), groups.pending.order(ref), deliveries)
      }),
  },
  {
    name: 'stream-claim-forgets-deliveries',
    what: 'who claims an entry has it for the first time',
    profile: 'group-commands',
    apply: () =>
      patch(StreamGroups, 'assign', (original) => (group, id, region, consumer, timeMs) => {
        return original(group, id, region, consumer, timeMs, 1)
      }),
  },
  {
    name: 'stream-lastid-passes-own-only',
    what: 'XCLAIM with LASTID comes past what its own region has added, and what others have is not done',
    profile: 'group-commands',
    apply: () =>
      patch(StreamStore, 'passAll', (_original, self) => (space, _root, group, id) => {
        space.groups.raiseCursor(group, self.self, id)
      }),
  },
  {
    name: 'stream-setid-does-not-count',
    what: 'XSETID leaves the number of entries that were ever added as it is',
    profile: 'group-commands',
    apply: () =>
      patch(StreamStore, 'setId', (original, self) => (space, root, lastId, added, maxDeleted) => {
        const isLocal = (field(self, 'context') as ApplyContext).local
        return original(space, root, lastId, isLocal ? space.roots.entriesAdded(root) : added, maxDeleted)
      }),
  },
  {
    name: 'restored-stream-without-pending',
    what: 'RESTORE of a stream in slices leaves out what its consumers have pending',
    apply: () =>
      patchHidden(StreamRestore, 'group', (_self, original, [group]) => {
        const { consumers, ...rest } = group as RdbStreamGroup
        return original({ ...rest, consumers: consumers.map((consumer) => ({ ...consumer, pending: [] })) })
      }),
  },
  {
    name: 'dumped-stream-without-released',
    what: 'DUMP of a stream leaves out what nobody has pending any more',
    apply: () =>
      patch(StreamStore, 'toRdb', (original) => (db, root) => {
        const stream = original(db, root) as RdbStream
        return { ...stream, groups: stream.groups.map((group) => ({ ...group, released: [] })) }
      }),
  },
  {
    name: 'copied-stream-without-messages',
    what: 'COPY and RENAME of a stream lose which messages of producers have become which entry',
    profile: 'streams',
    apply: () => patch(StreamMarkWrites, 'copy', () => () => undefined),
  },
  {
    name: 'sliced-trim-loses-one',
    what: 'a trim with ACKED that goes in slices leaves an entry that is to go',
    profile: 'group-commands',
    apply: () => {
      let count = 0
      return patch(TrimmedWriter, 'push', (original) => (id) => {
        if (++count % 2 === 0) original(id)
      })
    },
  },
  {
    name: 'sliced-trim-keeps-references',
    what: 'a trim with DELREF that goes in slices leaves what groups have pending of the entries that go',
    profile: 'group-commands',
    apply: () => patch(AckWriter, 'push', () => () => undefined),
  },
  {
    name: 'keys-of-long-writes-not-held',
    what: 'who comes in the middle of a command on many keys, or of a large frame, sees half of it',
    apply: () => patch(HeldKeys, 'holds', () => () => false),
  },
  {
    name: 'transaction-holds-nothing',
    what: 'who comes between the slices of EXEC sees half of it, or writes into its op',
    profile: 'transactions',
    apply: () => patch(HeldKeys, 'holdEverything', () => () => undefined),
  },
  {
    name: 'clock-runs-on-in-a-transaction',
    what: 'what is seen between the slices of EXEC moves the stamps of its op',
    profile: 'transactions',
    apply: () => patch(HybridClock, 'hold', () => () => undefined),
  },
  {
    name: 'stamps-of-a-long-command-given-twice',
    what: 'what follows a command of EXEC that goes in slices by itself has the stamps of its effects',
    profile: 'transactions',
    apply: () => patch(Effects, 'admit', (original) => (effects) => original(Math.min(effects, 1))),
  },
  {
    name: 'copied-group-starts-at-the-end',
    what: 'in a copy of a stream a group has read everything',
    profile: 'copied-groups',
    apply: () => patch(CopiedIds, 'startOf', (_original, ids) => () => ids.lastId()),
  },
  {
    name: 'field-time-not-kept',
    what: 'HSETEX with KEEPTTL lets the time of a field go',
    profile: 'field-expiry',
    apply: () =>
      patch(HashStore, 'setKeeping', (_original, self) => (_db, _root, database, args, first, end) => {
        self.setFields(database, args, first, end, ExpiryMode.clear, 0)
      }),
  },
  {
    name: 'set-remove-takes-unobserved',
    what: 'a removal takes members that were added at the same time',
    profile: 'sets',
    apply: () =>
      patchHidden(MapStore, 'removeElement', (self, original, args) => observingEverything(self, () => original(...args))),
  },
  {
    name: 'zset-resets-ignored',
    what: 'a removal or a new score does not take away the increments that it saw',
    profile: 'zset-counters',
    apply: () =>
      both(
        patch(
          ZsetStore,
          'putScore',
          (original) => (root, buf, off, len, score, _resets) => original(root, buf, off, len, score, []),
        ),
        patch(ZsetStore, 'removeLocated', (original) => (root, _resets) => original(root, [])),
      ),
  },
  {
    name: 'removed-not-counted',
    what: 'a removed member does not count any more as soon as its removal is known, whatever may still come of it',
    profile: 'members',
    apply: () =>
      patchHidden(PeerSync, 'reviewDepartures', (self) => {
        const peers = field(self, 'peersById') as Map<MemberId, { member: MemberInfo; stop(): void }>
        for (const [id, peer] of peers) if (peer.member.removal !== undefined) peers.delete(id)
      }),
  },
  {
    name: 'removal-says-what-was-made',
    what: 'of the writes of a member that is removed by force those are said to have arrived which it has once told of',
    profile: 'members',
    apply: () =>
      patch(MemberTopology, 'remove', (original, self) => (name, forced) => {
        const removed = (field(self, 'member') as Member).sync?.peers().find(({ member }) => member.name === name)
        const made = removed?.applied.get(removed.member.id) ?? (0 as Stamp)
        return original(name, forced).map((each) => ({ ...each, lastStamp: Math.max(each.lastStamp, made) as Stamp }))
      }),
  },
  {
    name: 'removal-says-own-only',
    what: 'what others have of the writes of a member that is removed by force is taken for what the remover has',
    profile: 'members',
    apply: () =>
      patch(MemberTopology, 'remove', (original, self) => (name, forced) => {
        const id = (field(self, 'member') as Member).engine.topology.named(name)?.id ?? 0
        const own = (field(self, 'member') as Member).applied.get(id as MemberId)
        return original(name, forced).map((each) => ({ ...each, lastStamp: own }))
      }),
  },
  {
    name: 'id-given-twice',
    what: 'a member gives away any id that it knows of nobody to have',
    profile: 'members',
    apply: () =>
      patch(TopologyState, 'poolOf', (_original, state) => () => {
        const used = new Set(state.members().map(({ id }) => id))
        return Array.from({ length: MAX_MEMBER_ID }, (_, i) => i + 1).filter((id) => !used.has(id))
      }),
  },
  {
    name: 'restored-writes-at-once',
    what: 'a member that is started from an old copy of its disk does not ask the others first',
    profile: 'members',
    apply: () =>
      patchHidden(Membership, 'review', (self, original) => {
        if (field(self, 'log') !== null && field(self, 'mayWrite') === false) (field(self, 'begin') as Call).call(self)
        original()
      }),
  },
  {
    name: 'id-of-a-backup-given-again',
    what: 'a new member may get an id that wrote what is in the backup',
    profile: 'backups',
    apply: () =>
      patch(MemberTopology, 'add', (original, self) => (description) => {
        const { engine } = field(self, 'member') as Member
        const { position } = engine
        engine.position = () => {
          engine.position = position
          return new VersionVector()
        }
        try {
          return original(description)
        } finally {
          engine.position = position
        }
      }),
  },
  {
    name: 'lost-disk-asks-those-who-are-there',
    what: 'a member that knows of writes that its disk has lost does not wait for those who cannot be reached just now',
    profile: 'lost-disks',
    apply: () => patchGetter(PeerSync, 'hasUnheard', (self) => (self as PeerSync).hasUnasked),
  },
  {
    name: 'snapshot-replayed-from-its-end',
    what: 'after a snapshot was loaded the log is replayed from where writing it ended, not from where it began',
    apply: () =>
      patchHidden(LogScan, 'visit', (self, original, args) => {
        const { from } = field(self, 'options') as { from?: { end: number } }
        if (from === undefined || (field(self, 'endByte') as number) >= from.end) original(...args)
      }),
  },
  {
    name: 'snapshot-folds-on',
    what: 'what became stable while a snapshot is written is folded, and forgotten, in it',
    profile: 'snapshots',
    apply: () => patchHidden(Member, 'freezeStability', (self) => (self as Member).stable.clone()),
  },
  {
    name: 'loaded-snapshot-folds-on',
    what: 'what is stable is folded over a snapshot that shows more than has been applied',
    profile: 'transfer-strings',
    apply: () => patchHidden(Member, 'holdStability', () => undefined),
  },
  {
    name: 'snapshot-ahead-of-log',
    what: 'a snapshot gets its name before the log that it has seen is on the disk',
    apply: () =>
      patchHidden(Snapshotter, 'waitForLog', (self, _original, args) => {
        ;(field(self, 'waitForFile') as Call).call(self, args[0])
      }),
  },
  {
    name: 'snapshot-clock-forgotten',
    what: 'a member that starts from a snapshot does not know which stamps it has given out',
    apply: () =>
      patch(Replay, 'restore', (original, { replica }) => (vector, stable, _clock) => {
        original(vector, stable, 0 as Stamp)
        replica.hlc.observe = () => undefined
      }),
  },
  {
    name: 'backup-lacks-last-writes',
    what: 'of the log behind its snapshot a backup has what was durable when that was complete, not when the backup became ready',
    profile: 'backups',
    apply: () =>
      patchHidden(Backups, 'open', (_self, original, args) => {
        original(...args)
        const backup = args[0] as { parts: { length: number }[]; state: { logBytes: number } }
        const last = backup.parts.at(-1)
        if (backup.parts.length < 3 || last === undefined) return
        backup.parts = backup.parts.slice(0, -1)
        backup.state = { ...backup.state, logBytes: backup.state.logBytes - last.length }
      }),
  },
  {
    name: 'backup-vector-too-new',
    what: 'a backup says that it has ops whose effects it does not have',
    profile: 'backups',
    apply: () =>
      patch(Replay, 'apply', (original, { replica }) => (frame) => {
        if (frame.last % 5 === 2) replica.applied.raise(frame.origin, frame.last)
        else original(frame)
      }),
  },
  {
    name: 'restored-reuses-stamps',
    what: 'a member that was made of a backup begins with its wall clock and may give out stamps that the old cluster gave out',
    profile: 'backups',
    apply: () =>
      patchHidden(Recovery, 'begin', (self, original, args) => {
        original(...args)
        const { header } = args[0] as { header: { version: string } }
        if (header.version !== RESTORED_VERSION) return
        const { engine } = field(self, 'options') as { engine: Engine }
        engine.hlc.last = 0 as Stamp
      }),
  },
  ...TRANSFER_BUGS,
  {
    name: 'clone-accepted',
    what: 'two processes of one member are both linked',
    profile: 'clones',
    apply: () => patch(Peer, 'acceptIncarnation', () => () => true),
  },
  {
    name: 'original-goes-on',
    what: 'a process whose place another one has taken goes on taking writes, which nobody gets',
    profile: 'clones',
    apply: () => patch(Membership, 'refusedAsForked', () => () => undefined),
  },
  {
    name: 'removed-accepted-again',
    what: 'a member that was removed by force is a member to those that it dials',
    profile: 'clones',
    apply: () =>
      patchHidden(Membership, 'makeView', (_self, original) => {
        const view = original() as Topology
        const members = view.members.map(({ removal, ...member }) =>
          removal === undefined || removal.forced.length > 0 ? member : { ...member, removal },
        )
        return { ...view, members }
      }),
  },
  {
    name: 'forced-removal-at-different-cuts',
    what: 'of a member that was removed by force each of the others has what it had got by then',
    profile: 'members',
    apply: () =>
      patchHidden(SourceChoice, 'bestRelay', (self, original, [origin]) => {
        const { topology } = field(self, 'host') as { topology: Topology }
        const isGone = topology.members.find(({ id }) => id === origin)?.removal?.forced.length
        return isGone === undefined || isGone === 0 ? original(origin) : null
      }),
  },
  {
    name: 'op-half-applied',
    what: 'some effects of ops that arrive are left out',
    apply: () =>
      patchHidden(FrameApplier, 'applyEffect', (self, original, args) => {
        if ((field(self, 'reader') as { stamp: number }).stamp % 17 !== 3) original(...args)
      }),
  },
]

/** Plants a bug by name; the result removes it. Counts anew how often it runs, unless it is only put back. */
export function plant(name: string, anew = true): () => void {
  const bug = PLANTED_BUGS.find((candidate) => candidate.name === name)
  if (bug === undefined)
    throw new Error(`no planted bug '${name}'; there are ${PLANTED_BUGS.map((each) => each.name).join(', ')}`)
  if (anew) countExercisedAnew()
  return bug.apply()
}
