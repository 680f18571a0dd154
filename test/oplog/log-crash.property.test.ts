import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import type { FrameView } from '../../src/crdt/frame.js'
import { nextWhole, type LogCursor, type SyncPolicy } from '../../src/oplog/op-log.js'
import { LogRig } from './log-rig.js'
import { seededRandom } from './memory-disk.js'
import { label, testFrame } from './test-frames.js'

const ORIGINS = [1, 2, 3]
const SIZES = { segmentBytes: 1500, recentFrameBytes: 1500, cursorBlockBytes: 100 }

type Action =
  | { do: 'append'; origin: number; body: number }
  | { do: 'turn' | 'sync' | 'completeSyncs' | 'tick' | 'kill' | 'close' | 'readAll' | 'syncNow' | 'makeRoom' }
  | { do: 'crash'; seed: number }
  | { do: 'policy'; policy: SyncPolicy }
  | { do: 'openCursor'; origin: number; back: number }
  | { do: 'read'; cursor: number; frames: number }
  | { do: 'fill'; room: number }

const plain = (name: 'turn' | 'sync' | 'completeSyncs' | 'tick' | 'kill' | 'close' | 'readAll' | 'syncNow' | 'makeRoom') =>
  fc.constant<Action>({ do: name })

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('append' as const), origin: fc.constantFrom(...ORIGINS), body: fc.nat(600) }),
  },
  { weight: 3, arbitrary: plain('turn') },
  { weight: 3, arbitrary: plain('sync') },
  { weight: 3, arbitrary: plain('completeSyncs') },
  { weight: 1, arbitrary: plain('syncNow') },
  { weight: 1, arbitrary: plain('tick') },
  { weight: 1, arbitrary: plain('kill') },
  { weight: 1, arbitrary: plain('close') },
  { weight: 1, arbitrary: plain('readAll') },
  { weight: 1, arbitrary: plain('makeRoom') },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fill' as const), room: fc.nat(2000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), seed: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('policy' as const),
      policy: fc.constantFrom<SyncPolicy[]>('continuous', 'everysec', 'no'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('openCursor' as const), origin: fc.constantFrom(...ORIGINS), back: fc.nat(20) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), cursor: fc.nat(10), frames: fc.nat(8) }) },
)

/** The model: a list of frames, how many of them are written, and what the cursors have handed out. */
class Run {
  private readonly rig = new LogRig()
  private frames: FrameView[] = []
  private readonly last = new Map<number, number>()
  private cursors: { origin: number; after: number; cursor: LogCursor }[] = []
  private policy: SyncPolicy = 'no'

  constructor() {
    this.rig.open({ ...SIZES, syncPolicy: this.policy })
  }

  step(action: Action): void {
    const { rig } = this
    switch (action.do) {
      case 'append':
        return this.append(action.origin, action.body)
      case 'turn':
        return rig.clock.turn()
      case 'sync':
        return rig.log.requestSync()
      case 'completeSyncs':
        return rig.disk.completeSyncs()
      case 'tick':
        return rig.clock.advance(1000)
      case 'kill':
        return this.restart('appended', () => rig.disk.kill())
      case 'crash':
        return this.restart('durable', () => rig.disk.crash(seededRandom(action.seed)))
      case 'close':
        rig.disk.capacity = Infinity
        return this.restart('all', () => {
          rig.log.close()
          expect(rig.clock.timerCount).toBe(0)
          rig.disk.crash(() => 0)
        })
      case 'syncNow':
        rig.disk.capacity = Infinity
        return rig.log.syncNow()
      case 'readAll':
        return this.checkAllCursors()
      case 'policy':
        this.policy = action.policy
        return rig.log.setSyncPolicy(action.policy)
      case 'openCursor': {
        const stamps = this.stamps(action.origin)
        const after = stamps[Math.max(0, stamps.length - 1 - action.back)]
        const cursor = rig.log.openCursor(action.origin as MemberId, after as Stamp)
        this.cursors.push({ origin: action.origin, after, cursor })
        return
      }
      case 'read':
        return this.read(action.cursor, action.frames)
      case 'fill':
        rig.disk.capacity = rig.disk.used + action.room
        return
      case 'makeRoom':
        rig.disk.capacity = Infinity
        return
    }
  }

  private append(origin: number, body: number): void {
    const previous = this.last.get(origin) ?? 0
    const frame = testFrame({ origin, previous, last: previous + 1 + (body % 7), body })
    this.last.set(origin, frame.last)
    this.frames.push(frame)
    const position = this.rig.log.append(frame)
    expect(position).toBe(this.frames.reduce((sum, { bytes }) => sum + bytes.length, 0))
    expect(this.rig.log.refusal !== null).toBe(this.rig.log.appendedBytes < position)
  }

  private restart(keeps: 'appended' | 'durable' | 'all', stop: () => void): void {
    const { appendedBytes, durableBytes, durable } = this.rig.log
    const durableBefore = durable.clone()
    stop()
    this.rig.disk.capacity = Infinity
    this.rig.open({ ...SIZES, syncPolicy: this.policy })
    this.cursors = []
    const { recovered, log } = this.rig
    expect(recovered).toEqual(this.frames.slice(0, recovered.length).map(label))
    expect(log.appendedBytes).toBeGreaterThanOrEqual(
      keeps === 'all' ? this.bytes : keeps === 'appended' ? appendedBytes : durableBytes,
    )
    expect(log.durable.dominates(durableBefore)).toBe(true)
    expect(log.durable.equals(log.appended)).toBe(true)
    this.frames = this.frames.slice(0, recovered.length)
    this.last.clear()
    for (const frame of this.frames) this.last.set(frame.origin, frame.last)
    this.checkAllCursors()
  }

  private get bytes(): number {
    return this.frames.reduce((sum, frame) => sum + frame.bytes.length, 0)
  }

  private stamps(origin: number): number[] {
    return [0, ...this.frames.filter((frame) => frame.origin === origin).map((frame) => frame.last as number)]
  }

  /** The frames that a cursor must yield now, computed from the model and the log's own word on what is durable. */
  private expected(origin: number, after: number): string[] {
    let bytes = 0
    const durable: FrameView[] = []
    for (const frame of this.frames) {
      bytes += frame.bytes.length
      if (bytes > this.rig.log.durableBytes) break
      durable.push(frame)
    }
    return durable.filter((frame) => frame.origin === origin && frame.last > after).map(label)
  }

  private read(index: number, count: number): void {
    if (this.cursors.length === 0) return
    const reader = this.cursors[index % this.cursors.length]
    const expected = this.expected(reader.origin, reader.after)
    for (let i = 0; i < count; i++) {
      const frame = nextWhole(reader.cursor)
      expect(frame && label(frame)).toBe(expected[i] ?? null)
      if (frame !== null) reader.after = frame.last
    }
  }

  checkAllCursors(): void {
    for (const origin of ORIGINS) {
      for (const after of this.stamps(origin)) expect(this.rig.read(origin, after)).toEqual(this.expected(origin, after))
    }
  }
}

test('after any crash the log holds a prefix of what was appended with all that was durable, and cursors yield exactly that', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 1, maxLength: 120, size: 'max' }), (actions) => {
      const run = new Run()
      for (const action of actions) run.step(action)
      run.checkAllCursors()
    }),
    { numRuns: Number(process.env.LOG_RUNS ?? 300) },
  )
})
