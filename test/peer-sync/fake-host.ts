import type { MemberId, Stamp } from '../../src/base/ids.js'
import { MeridianError } from '../../src/base/errors.js'
import type { FrameView } from '../../src/crdt/frame.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import type { LogCursor } from '../../src/oplog/op-log.js'
import { duplicateId } from '../../src/peer-sync/hello-check.js'
import type { MemberInfo, SyncHost, Topology } from '../../src/peer-sync/sync-host.js'
import type { Clock } from '../../src/ports/clock.js'
import { buildFrame } from './frame-builder.js'

/** A member that keeps frames in an array, makes them durable a little later, and checks what it is given. */
export class FakeHost implements SyncHost {
  readonly applied = new VersionVector()
  readonly durable = new VersionVector()
  readonly log: FrameView[] = []
  onLogChange: () => void = () => undefined
  /** Frames of this origin are declared malformed. */
  poisoned = 0
  /** Called before each application. */
  onApply: (frame: FrameView) => void = () => undefined
  syncDelayMs = 3
  private durableCount = 0
  private syncing = false

  constructor(
    public topology: Topology,
    private readonly clock: Clock,
  ) {}

  get self(): MemberId {
    return this.topology.self
  }

  write(bodyBytes = 10): FrameView {
    const previous = this.applied.get(this.self)
    const highest = Math.max(...this.applied.stamps, 2 ** 40 + Math.floor(this.clock.monotonicMs()) * 4096)
    const frame = buildFrame(this.self, previous, highest + 1, highest + 2, this.applied, bodyBytes)
    this.append(frame)
    return frame
  }

  applyFrame(frame: FrameView): void {
    if (frame.origin === this.poisoned) throw new MeridianError('MRD_FRAME', 'Malformed frame: poisoned', 'None.')
    if (frame.origin === this.self) throw new Error('own frame came back')
    if (frame.previous !== this.applied.get(frame.origin)) throw new Error('applied out of order, or twice')
    if (!frame.contextCoveredBy(this.applied)) throw new Error('context not covered')
    this.onApply(frame)
    this.append(frame)
  }

  readonly isRefusing = false
  readonly hasAskedAround = true
  readonly topologyBytes = null
  readonly shelf = null
  readonly intake = null

  logBegins(): Stamp {
    return 0 as Stamp
  }

  readonly takesOwnFrames = false
  readonly isWhole = true
  readonly everStable = new VersionVector()
  readonly isRemoved = false

  topologyReceived(): void {
    throw new Error('nobody here has a topology to tell')
  }

  introduced(): string {
    return 'nobody here has a topology that changes'
  }

  ownOpsElsewhere(member: MemberInfo, stamp: Stamp): void {
    throw duplicateId(`${member.name} has ops of member ${this.self} up to stamp ${stamp}, which this process never made`)
  }

  saidBefore(): void {}

  reportedBy(): void {}

  refusedAsRemoved(message: string): void {
    throw new Error(message)
  }

  refusedAsForked(message: string): void {
    throw new Error(message)
  }

  refusedAsStray(message: string): void {
    throw new Error(message)
  }

  openCursor(origin: MemberId, after: Stamp): LogCursor {
    let at = 0
    return {
      next: () => {
        for (; at < this.durableCount; at++) {
          const frame = this.log[at]
          if (frame.origin === origin && frame.last > after) {
            at++
            return frame
          }
        }
        return null
      },
      isReading: false,
      close: () => undefined,
    }
  }

  /** What a crash leaves. */
  crashed(): FakeHost {
    const next = new FakeHost(this.topology, this.clock)
    for (const frame of this.log.slice(0, this.durableCount)) {
      next.log.push(frame)
      next.applied.raise(frame.origin, frame.last)
      next.durable.raise(frame.origin, frame.last)
    }
    next.durableCount = this.durableCount
    return next
  }

  private append(frame: FrameView): void {
    this.log.push(frame)
    this.applied.raise(frame.origin, frame.last)
    if (this.syncing) return
    this.syncing = true
    this.clock.setTimer(this.syncDelayMs, () => {
      this.syncing = false
      for (; this.durableCount < this.log.length; this.durableCount++) {
        const durable = this.log[this.durableCount]
        this.durable.raise(durable.origin, durable.last)
      }
      this.onLogChange()
    })
  }
}
