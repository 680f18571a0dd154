import type { FaultKind } from './faults.js'

/** How often each family is drawn, how many keys there are, and what is done to the members meanwhile. */
export interface Profile {
  /** Of each type. */
  readonly keys: number
  readonly databases: number
  /** How often a client sends several commands at once, most of them as a transaction. Default: 0.15. */
  readonly togetherRate?: number
  /** By family; those left out are not drawn. */
  readonly weights: Readonly<Record<string, number>>
  /** How often a command goes to a key whose name belongs to another type: then types are in conflict. */
  readonly mixing: number
  readonly meanDelayMs: number
  readonly faultRate: number
  /** How often members are added, removed, and restored from an old copy. Default: never. */
  readonly membershipRate?: number
  /** How often members are kept from frames until the logs of the others do not reach back, and transfers are struck. Default: never. */
  readonly transferRate?: number
  /** How often each of TRANSFER_KINDS is drawn, where it is not as usual. */
  readonly transferWeights?: readonly number[]
  /** Machines are cloned, and removed ones come back. */
  readonly clones?: boolean
  /** Backups are taken. */
  readonly takesBackups?: boolean
  /** How often snapshots are begun, if they all end before the process is killed, which starts from them then. Default: as in faults.ts. */
  readonly finishedSnapshotRate?: number
  /** No seed chooses it by itself: it needs a member with a real log, or snapshots. */
  readonly isChosenByName?: boolean
  /** How often each kind of fault is drawn, where it is not as usual. */
  readonly faultWeights?: Partial<Record<FaultKind, number>>
}

const STRINGS = { register: 5, counter: 4, float: 2, edit: 4, stringExpiry: 2, stringRead: 3 }
const HASHES = { hash: 4, hashCounter: 2, hashExpiry: 1, hashRead: 1.5 }
const SETS = { set: 4, setRead: 1.5 }
const ZSETS = { zset: 4, zsetCounter: 2, zsetRead: 1.5 }
const LISTS = { list: 4, listEdit: 2, listRead: 1.5 }
const STREAMS = { stream: 4, streamWhole: 1, streamRead: 1.5 }
const HLLS = { hll: 4, hllRead: 1.5 }
const KEYS = { expiry: 2, remove: 2, move: 2, read: 2, flush: 0.15 }

/** HyperLogLogs stay out: what bytes one is when it is read as a string is not the model's affair. */
const ALL_BUT_HLLS = { ...STRINGS, ...HASHES, ...SETS, ...ZSETS, ...LISTS, ...STREAMS, ...KEYS }

const CALM = { keys: 4, databases: 2, mixing: 0, meanDelayMs: 3, faultRate: 0 }
const BUSY = { keys: 2, databases: 1, mixing: 0, meanDelayMs: 4, faultRate: 0.05 }

export const PROFILES: Readonly<Record<string, Profile>> = {
  transactions: {
    ...BUSY,
    keys: 3,
    databases: 2,
    mixing: 0.1,
    togetherRate: 0.9,
    isChosenByName: true,
    weights: ALL_BUT_HLLS,
  },
  // No groups of streams: a member that is made of a backup is alone, and then says of them what Redis says, which the model does not know.
  backups: {
    ...BUSY,
    databases: 2,
    meanDelayMs: 8,
    takesBackups: true,
    weights: { ...ALL_BUT_HLLS, streamWhole: 0 },
  },
  members: {
    ...BUSY,
    keys: 3,
    meanDelayMs: 15,
    membershipRate: 0.06,
    weights: {
      register: 2,
      counter: 4,
      edit: 2,
      remove: 1,
      stringRead: 1,
      hashCounter: 1,
      set: 1,
      zsetCounter: 1,
      list: 1,
      expiry: 1,
    },
  },
  clones: {
    ...BUSY,
    keys: 3,
    meanDelayMs: 15,
    faultRate: 0.03,
    membershipRate: 0.02,
    clones: true,
    weights: { register: 2, counter: 4, edit: 2, remove: 1, stringRead: 1, hashCounter: 1, set: 1, list: 1, expiry: 1 },
  },
  'members-alone': {
    ...CALM,
    membershipRate: 0.06,
    meanDelayMs: 15,
    weights: { counter: 4, edit: 2, remove: 1, register: 1, set: 2, stringRead: 1 },
  },
  mix: { ...BUSY, keys: 5, databases: 2, meanDelayMs: 8, weights: { ...STRINGS, ...KEYS } },
  counters: { ...BUSY, weights: { counter: 8, float: 2, register: 1, remove: 1, stringRead: 2 } },
  registers: { ...BUSY, keys: 3, weights: { register: 6, remove: 1, move: 0.5, stringRead: 2 } },
  edits: { ...BUSY, keys: 3, meanDelayMs: 5, weights: { edit: 8, register: 1, remove: 0.5, counter: 0.5, stringRead: 2 } },
  expiry: {
    ...BUSY,
    keys: 3,
    meanDelayMs: 12,
    faultRate: 0.04,
    weights: { expiry: 4, stringExpiry: 2, register: 3, counter: 2, edit: 2, remove: 1, stringRead: 2, read: 2 },
  },
  keys: {
    ...BUSY,
    keys: 4,
    databases: 3,
    meanDelayMs: 6,
    faultRate: 0.04,
    weights: { register: 3, counter: 2, move: 4, moveDb: 1, remove: 2, flush: 0.5, stringRead: 1, read: 1 },
  },
  calm: { ...CALM, weights: { ...STRINGS, ...KEYS } },
  storm: {
    ...BUSY,
    keys: 3,
    meanDelayMs: 20,
    faultRate: 0.2,
    weights: { register: 3, counter: 3, edit: 2, remove: 1, stringRead: 2, hash: 1, set: 1, zset: 1, list: 1, stream: 1 },
  },
  hashes: { ...BUSY, weights: { ...HASHES, expiry: 0.5, remove: 0.5, move: 0.3 } },
  'hash-counters': { ...BUSY, keys: 1, weights: { hashCounter: 8, hash: 2, remove: 0.5, hashRead: 1 } },
  'field-expiry': {
    ...BUSY,
    meanDelayMs: 12,
    faultRate: 0.04,
    weights: { hashExpiry: 5, hash: 3, hashCounter: 1, expiry: 0.5, remove: 0.3, hashRead: 2 },
  },
  sets: { ...BUSY, weights: { ...SETS, expiry: 0.3, remove: 0.5, move: 0.3 } },
  zsets: { ...BUSY, weights: { ...ZSETS, expiry: 0.3, remove: 0.5, move: 0.3 } },
  'zset-counters': { ...BUSY, keys: 1, weights: { zsetCounter: 8, zset: 2, remove: 0.5, zsetRead: 1 } },
  lists: { ...BUSY, weights: { ...LISTS, expiry: 0.3, remove: 0.5, move: 0.3 } },
  'list-edits': { ...BUSY, keys: 1, weights: { list: 2, listEdit: 6, remove: 0.1, listRead: 1 } },
  streams: { ...BUSY, weights: { ...STREAMS, expiry: 0.3, remove: 0.4, move: 0.3 } },
  'stream-groups': { ...BUSY, keys: 1, weights: { stream: 3, group: 6, streamWhole: 0.3, remove: 0.1, streamRead: 1 } },
  'copied-groups': {
    ...BUSY,
    keys: 2,
    databases: 2,
    isChosenByName: true,
    weights: { groupWork: 12, group: 1, move: 2, remove: 0.2, streamRead: 1 },
  },
  // Clocks do not jump: an XSETID must not go back.
  'group-commands': {
    ...BUSY,
    databases: 2,
    faultWeights: { 'clock-jump': 0 },
    isChosenByName: true,
    weights: { groupMore: 6, groupWork: 5, group: 5, move: 0.5, moveDb: 0.5, remove: 0.2, streamRead: 0.5 },
  },
  hlls: { ...BUSY, weights: { ...HLLS, expiry: 0.5, remove: 1, move: 0.5, flush: 0.1 } },
  // Without strings: what bytes a HyperLogLog is when it is read as one is not the model's affair.
  'hll-types': {
    ...BUSY,
    keys: 1,
    mixing: 0.3,
    weights: { ...HLLS, ...SETS, ...LISTS, expiry: 1, remove: 1.5, move: 1, read: 1, flush: 0.1 },
  },
  'collection-expiry': {
    ...BUSY,
    meanDelayMs: 12,
    faultRate: 0.04,
    weights: { expiry: 6, hash: 2, set: 2, zset: 2, list: 2, stream: 2, hashCounter: 1, zsetCounter: 1, remove: 1, read: 2 },
  },
  types: {
    ...BUSY,
    keys: 1,
    mixing: 0.3,
    weights: {
      register: 2,
      counter: 1,
      edit: 1,
      ...HASHES,
      ...SETS,
      ...ZSETS,
      ...LISTS,
      ...STREAMS,
      expiry: 2,
      remove: 2,
      move: 1,
      read: 1,
      flush: 0.1,
    },
  },
  // Much that waits to become stable, links that come and go, and snapshots from which members start while it does.
  snapshots: {
    ...BUSY,
    keys: 1,
    mixing: 0.3,
    meanDelayMs: 15,
    faultRate: 0.1,
    faultWeights: { kill: 0, 'power-cut': 0, 'disk-full': 0, 'memory-short': 0, 'clock-jump': 0 },
    finishedSnapshotRate: 0.06,
    isChosenByName: true,
    weights: { hll: 8, hllRead: 1, set: 2, remove: 3, move: 1, flush: 0.2 },
  },
  transfer: {
    ...BUSY,
    keys: 3,
    databases: 2,
    mixing: 0.05,
    meanDelayMs: 60,
    faultRate: 0.02,
    transferRate: 0.12,
    isChosenByName: true,
    weights: ALL_BUT_HLLS,
  },
  // Few keys of one type: what a transfer gets wrong of it is written and read often.
  'transfer-strings': {
    ...BUSY,
    keys: 2,
    meanDelayMs: 60,
    faultRate: 0.02,
    transferRate: 0.12,
    isChosenByName: true,
    weights: { register: 2, counter: 5, float: 1, edit: 4, stringExpiry: 1, remove: 1.5, move: 0.5, flush: 0.1, stringRead: 2 },
  },
  // One after the other is away, and what it lacks goes: whose reports let it go matters.
  retention: {
    ...BUSY,
    keys: 2,
    meanDelayMs: 60,
    faultRate: 0.05,
    faultWeights: { 'disk-full': 0, 'memory-short': 0, 'slow-link': 6, cut: 8 },
    transferRate: 0.25,
    membershipRate: 0.05,
    transferWeights: [8, 4, 0, 1],
    isChosenByName: true,
    weights: { register: 4, counter: 2, stringRead: 1 },
  },
  // Disks are lost one after the other, and whoever has the last of one is not there at once.
  'lost-disks': {
    ...BUSY,
    meanDelayMs: 30,
    faultRate: 0.01,
    transferRate: 0.08,
    transferWeights: [1, 1, 8, 1],
    isChosenByName: true,
    weights: { register: 2, counter: 4, edit: 1, set: 1, stringRead: 1 },
  },
  'transfer-groups': {
    ...BUSY,
    keys: 2,
    meanDelayMs: 60,
    faultRate: 0.02,
    transferRate: 0.12,
    transferWeights: [4, 3, 4, 3],
    isChosenByName: true,
    weights: { groupWork: 12, remove: 0.15, streamRead: 1, flush: 0.05 },
  },
  'transfer-members': {
    ...BUSY,
    keys: 2,
    meanDelayMs: 60,
    faultRate: 0.02,
    membershipRate: 0.04,
    transferRate: 0.1,
    isChosenByName: true,
    weights: {
      register: 2,
      counter: 4,
      edit: 2,
      remove: 1,
      stringRead: 1,
      hashCounter: 1,
      set: 1,
      zsetCounter: 1,
      list: 1,
      expiry: 1,
      hll: 1,
    },
  },
  'broken-disks': {
    ...BUSY,
    keys: 3,
    databases: 2,
    meanDelayMs: 8,
    faultRate: 0.1,
    isChosenByName: true,
    // Not full as well: a member whose last segment must be written anew and has no room does not start.
    faultWeights: { 'failed-sync': 10, 'failed-writes': 5, 'slow-disk': 5, 'disk-full': 0 },
    weights: ALL_BUT_HLLS,
  },
  memory: {
    ...BUSY,
    databases: 2,
    mixing: 0.05,
    faultRate: 0.1,
    faultWeights: { 'memory-short': 20 },
    weights: ALL_BUT_HLLS,
  },
  'calm-types': {
    ...CALM,
    keys: 1,
    mixing: 0.15,
    weights: { register: 2, counter: 1, ...HASHES, ...SETS, ...ZSETS, ...LISTS, ...STREAMS, ...KEYS },
  },
}
