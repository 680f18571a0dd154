import { MAX_DURATION_S, MAX_MAX_SIZE } from '../../base/mark-settings.js'
import { Hash64 } from '../../keyspace/hash64.js'
import type { StreamFields } from '../../keyspace/stream-fields.js'
import { buildMarkSettings } from '../../keyspace/stream-mark-writes.js'
import { Mark } from '../../keyspace/stream-marks.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { isLongWrite, KEY, KEY_ARGUMENT, openForWrite, StreamReading } from './stream-arguments.js'

/** XADD IDMP and IDMPAUTO, by which a message that is sent again does not become a second entry; and XCFGSET, for how long and how many are known. */
const stream = new StreamReading()
const lanes = [new Hash64(), new Hash64()]
const AUTOMATIC_NAME_BYTES = 16

/** Who sends a message, and what it is called. */
export class Marking {
  readonly mark = new Mark()
  isGiven = false
  private isAutomatic = false

  reset(): void {
    this.isGiven = false
  }

  /** IDMP producer name, or IDMPAUTO producer, from argument i on. */
  parse(call: Call, i: number, isAutomatic: boolean): void {
    if (this.isGiven) throw new CommandError('ERR IDMP/IDMPAUTO specified multiple times')
    const { mark } = this
    const { buf, off, len } = call.request
    const option = isAutomatic ? 'IDMPAUTO' : 'IDMP'
    this.isGiven = true
    this.isAutomatic = isAutomatic
    mark.buf = buf
    mark.producerOff = off[i + 1]
    mark.producerLen = len[i + 1]
    if (mark.producerLen === 0) throw new CommandError(`ERR ${option} requires a non-empty producer ID`)
    if (isAutomatic) return
    mark.nameOff = off[i + 2]
    mark.nameLen = len[i + 2]
    if (mark.nameLen === 0) throw new CommandError('ERR IDMP requires a non-empty idempotent ID')
  }

  /** The name that IDMPAUTO gives a message: of what it says, in whatever order, and the same in every region. */
  complete(fields: StreamFields): void {
    if (!this.isAutomatic) return
    const { mark } = this
    const named = new Uint8Array(mark.producerLen + AUTOMATIC_NAME_BYTES)
    named.set(mark.buf.subarray(mark.producerOff, mark.producerOff + mark.producerLen))
    mark.buf = named
    mark.producerOff = 0
    mark.nameOff = mark.producerLen
    mark.nameLen = AUTOMATIC_NAME_BYTES
    writeHash(fields, new DataView(named.buffer, mark.nameOff))
  }

  /** True when the message is an entry already: its ID is in the mark then. */
  isDuplicate(call: Call, { space, root }: StreamReading): boolean {
    if (!space.marks.find(root, this.mark, call.nowMs)) return false
    space.marks.noteDuplicate(root)
    return true
  }

  /** The mark of a message that becomes an entry now, for who writes it when the request has gone elsewhere. */
  forSteps(call: Call, { space, root }: StreamReading): Mark {
    const mark = this.mark.clone()
    mark.time = space.marks.timeOfNew(root, call.nowMs)
    return mark
  }
}

/** 128 bits: the sums of two hashes of each field with its value. */
function writeHash({ buf, count, nameOff, nameLen, valueOff, valueLen }: StreamFields, to: DataView): void {
  lanes.forEach((hash, lane) => {
    let high = 0
    let low = 0
    for (let i = 0; i < count; i++) {
      hash.begin()
      hash.number(lane)
      hash.number(nameLen[i])
      hash.bytes(buf, nameOff[i], nameLen[i])
      hash.number(valueLen[i])
      hash.bytes(buf, valueOff[i], valueLen[i])
      hash.end()
      high = (high + hash.high) >>> 0
      low = (low + hash.low) >>> 0
    }
    to.setUint32(8 * lane, high)
    to.setUint32(8 * lane + 4, low)
  })
}

function xcfgset(call: Call): void {
  if (call.argc === 2) throw new CommandError('ERR At least one parameter must be specified')
  let duration = 0
  let maxSize = 0
  for (let i = 2; i < call.argc; i += 2) {
    const isDuration = call.is(i, 'IDMP-DURATION')
    if ((!isDuration && !call.is(i, 'IDMP-MAXSIZE')) || i + 1 === call.argc) throw syntaxError()
    const value = call.integer(i + 1)
    if (isDuration) {
      if (value < 1 || value > MAX_DURATION_S) {
        throw new CommandError(`ERR IDMP-DURATION must be between 1 and ${MAX_DURATION_S} seconds`)
      }
      duration = value
    } else {
      if (value < 1 || value > MAX_MAX_SIZE) {
        throw new CommandError(`ERR IDMP-MAXSIZE must be between 1 and ${MAX_MAX_SIZE} entries`)
      }
      maxSize = value
    }
  }
  if (!openForWrite(call, 1, stream)) throw new CommandError(Errors.noSuchKey)
  const { marks } = stream.space
  const oldDuration = marks.durationS(stream.root)
  const oldMaxSize = marks.maxSize(stream.root)
  duration ||= oldDuration
  maxSize ||= oldMaxSize
  if (duration !== oldDuration || maxSize !== oldMaxSize) {
    if (isLongWrite(call, marks.count(stream.root), 1)) {
      call.writeKeyInSlices(1, settingSteps(call, stream.clone(), duration, maxSize))
      return
    }
    call.collections.streams.writes.marks.set(KEY.of(call, 1), duration, maxSize)
  }
  call.reply.ok()
}

/** XCFGSET of a stream that knows very many messages. */
function* settingSteps(call: Call, { space, root }: StreamReading, duration: number, maxSize: number): WriteSteps {
  yield* buildMarkSettings(space, root, call.op, call.place(1), duration, maxSize)
  yield 'commit'
  call.reply.ok()
}

export const STREAM_MARK_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xcfgset',
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '8.6.0',
    summary: 'Sets for how long and how many messages of a producer a stream knows.',
    complexity: 'O(N), N being the number of messages that it forgets',
    arguments: [
      KEY_ARGUMENT,
      { name: 'idmp-duration', type: 'integer', token: 'IDMP-DURATION', flags: ['optional'] },
      { name: 'idmp-maxsize', type: 'integer', token: 'IDMP-MAXSIZE', flags: ['optional'] },
    ],
    handler: xcfgset,
  },
]
