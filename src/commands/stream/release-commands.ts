import { LIMITS } from '../../base/limits.js'
import { StreamId } from '../../crdt/stream-id.js'
import { StreamCursor } from '../../keyspace/stream-log.js'
import { ReleaseWriter } from '../../keyspace/stream-op-writers.js'
import { MAX_DELIVERIES } from '../../keyspace/stream-pending.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { groupOf } from './group-commands.js'
import { distinctIds } from './id-arguments.js'
import {
  ArgumentRange,
  GROUP,
  GROUP_ARGUMENT,
  isLongWrite,
  KEY,
  KEY_ARGUMENT,
  strictId,
  StreamReading,
} from './stream-arguments.js'

/**
 * XNACK: pending entries are given back. They stay pending in their group, in this region, but nobody has them, and who claims by idle time gets them before all
 * others, those first that were given back first.
 */
const stream = new StreamReading()
const checked = new StreamId()

/** What becomes of the deliveries of an entry: the last one did not count; it did; the entry is not to be tried again. */
const MODES = ['SILENT', 'FAIL', 'FATAL'] as const

interface ReleaseOptions {
  readonly mode: (typeof MODES)[number]
  readonly firstId: number
  readonly count: number
  /** -1: by the mode. */
  readonly retryCount: number
  /** Entries that are not pending become so. */
  readonly force: boolean
}

const MAX_IDS = 0x7fffffff
const NUMIDS = 'ERR numids must be a positive integer'

function parse(call: Call): ReleaseOptions {
  const mode = MODES.find((name) => call.is(3, name))
  if (mode === undefined) throw new CommandError('ERR mode must be SILENT, FAIL, or FATAL')
  let firstId = 0
  let count = 0
  let retryCount = -1
  let force = false
  for (let i = 4; i < call.argc; i++) {
    const more = call.argc - 1 - i
    if (call.is(i, 'IDS') && more > 0) {
      const value = call.integer64(i + 1, NUMIDS)
      if (value < 1n || value > MAX_IDS) throw new CommandError(NUMIDS)
      count = Number(value)
      firstId = i + 2
      if (count > call.argc - firstId) throw new CommandError("ERR number of IDs doesn't match numids")
      i = firstId + count - 1
    } else if (call.is(i, 'FORCE')) {
      force = true
    } else if (call.is(i, 'RETRYCOUNT') && more > 0) {
      const value = call.integer64(++i)
      if (value < 0n) throw new CommandError('ERR Invalid RETRYCOUNT value, must be >= 0')
      retryCount = Math.min(Number(value), MAX_DELIVERIES)
    } else {
      throw new CommandError(`ERR Unrecognized XNACK option '${call.text(i)}'`)
    }
  }
  if (firstId === 0) throw new CommandError('ERR syntax error, expected IDS keyword')
  return { mode, firstId, count, retryCount, force }
}

/** Deliveries of an entry after it was given back. What is not to be tried again stays so. */
function deliveriesAfter({ mode, retryCount }: ReleaseOptions, before: number): number {
  if (retryCount >= 0) return retryCount
  if (mode === 'FATAL' || before === MAX_DELIVERIES) return MAX_DELIVERIES
  return mode === 'SILENT' ? Math.max(0, before - 1) : before
}

/** What of the IDs of an XNACK is given back. */
class Releases {
  /** In the order of the IDs. The number of each is its deliveries. */
  readonly released = new StreamPositions()
  /** IDs of which something is given back, each as often as it comes. */
  count = 0
  private readonly cursor = new StreamCursor()
  private readonly place = new IndexCursor()
  private readonly id = new StreamId()
  private readonly other = new StreamId()

  constructor(
    private readonly from: StreamReading,
    private readonly group: Ref,
    private readonly options: ReleaseOptions,
  ) {}

  /** Looks at the IDs, some a step. */
  *collect(call: Call): Generator<undefined, void> {
    const { id, other, released, options } = this
    const { firstId, count } = options
    /** Where in `released` an ID begins. */
    const begins = new Map<string, number>()
    yield* distinctIds(
      call,
      firstId,
      firstId + count,
      id,
      (text) => {
        if (text !== '') begins.set(text, released.count)
        this.release()
      },
      (text) => {
        const begin = begins.get(text) ?? released.count
        for (let j = begin; j < released.count && released.id(j, other).compare(id) === 0; j++) {
          if (j === begin) this.count++
          released.setNumber(j, deliveriesAfter(options, released.number(j)))
        }
      },
    )
  }

  /** Looks at the entries of the ID. */
  private release(): void {
    const { from, group, options, cursor, place, id, released } = this
    const { groups, log } = from.space
    const { pending } = groups
    const before = released.count
    pending.find(groups.pendingWords(group), groups.pendingAt(group), id, 0, place)
    for (let ref = pending.index.item(place); ref !== 0 && pending.compareId(ref, id) === 0; ref = pending.index.next(place)) {
      released.push(id, pending.region(ref), deliveriesAfter(options, pending.deliveries(ref)))
    }
    if (released.count === before && options.force) {
      let on = log.find(from.words, from.at, id, 0, cursor)
      for (; on && cursor.entry.id.compare(id) === 0; on = log.next(cursor)) {
        released.push(id, cursor.entry.region, deliveriesAfter(options, 0))
      }
    }
    if (released.count > before) this.count++
  }
}

function xnack(call: Call): void {
  const group = groupOf(call, stream)
  const options = parse(call)
  if (isLongWrite(call, options.count, 1)) {
    call.writeKeyInSlices(1, releaseSteps(call, stream.clone(), group, options))
    return
  }
  for (let i = 0; i < options.count; i++) strictId(call, options.firstId + i, checked)
  const releases = new Releases(stream, group, options)
  for (const steps = releases.collect(call); steps.next().done !== true;);
  const { released } = releases
  if (released.count > 0) call.collections.streams.writes.release(KEY.of(call, 1), GROUP.of(call, 2), released)
  call.reply.integer(releases.count)
}

/** XNACK of many. */
function* releaseSteps(call: Call, from: StreamReading, group: Ref, options: ReleaseOptions): WriteSteps {
  const releases = new Releases(from, group, options)
  yield* releases.collect(call)
  const { released } = releases
  const writer = new ReleaseWriter(call.op, call.place(1), new ArgumentRange().of(call, 2), call.nowMs)
  const id = new StreamId()
  for (let i = 0; i < released.count; i++) {
    writer.push(released.id(i, id), released.region(i), released.number(i))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  writer.end()
  call.reply.integer(releases.count)
  if (call.op.effects > 0) yield 'commit'
}

export const STREAM_RELEASE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xnack',
    arity: -7,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '8.8.0',
    summary: 'Gives pending entries back to their group, for the next one who claims.',
    complexity: 'O(log(N)) for each ID, N being the number of pending entries',
    arguments: [
      KEY_ARGUMENT,
      GROUP_ARGUMENT,
      {
        name: 'mode',
        type: 'oneof',
        arguments: MODES.map((token) => ({ name: token.toLowerCase(), type: 'pure-token', token })),
      },
      {
        name: 'ids',
        type: 'block',
        token: 'IDS',
        arguments: [
          { name: 'numids', type: 'integer' },
          { name: 'id', type: 'string', flags: ['multiple'] },
        ],
      },
      { name: 'count', type: 'integer', token: 'RETRYCOUNT', flags: ['optional'] },
      { name: 'force', type: 'pure-token', token: 'FORCE', flags: ['optional'] },
    ],
    handler: xnack,
  },
]
