import { MeridianError } from '../../base/errors.js'
import type { RedisAddress } from '../redis-client.js'
import { ReplicationLink, type StreamPosition } from './replication-link.js'
import type { Spool } from './spool.js'

const RETRY_MS = 1000
/** How long a broken link is tried again: longer than a failover, shorter than a backlog usually reaches. */
const RETRY_FOR_MS = 60_000
const ACK_INTERVAL_MS = 1000

/**
 * Takes a source's snapshot and then its stream of writes into a spool, as fast as the source sends. A link that breaks in the stream is opened anew and goes on
 * where it was, if the source still has what was missed.
 */
export class ReplicationFeed {
  /** Bytes of the snapshot received, and in all where the source says so. */
  snapshotBytes = 0
  snapshotTotal: number | null = null
  /** Where the stream begins; null until the source has said it. */
  startOffset: number | null = null
  reconnects = 0
  private link: ReplicationLink | null = null
  private position: StreamPosition = { id: '?', offset: 0 }
  private isInStream = false
  private isStopped = false
  private timer: NodeJS.Timeout | null = null

  constructor(
    private readonly address: RedisAddress,
    private readonly timeoutMs: number,
    private readonly spool: Spool,
    /** Offset up to which everything has arrived in the target; null while the snapshot is being loaded. */
    private readonly appliedOffset: () => number | null,
  ) {}

  /** Runs until it is stopped, or cannot go on: then the spool ends with the reason. */
  async run(): Promise<void> {
    try {
      this.link = await ReplicationLink.open(this.address, this.timeoutMs)
      if (this.isStopped) return this.spool.end()
      const { position } = await this.link.follow(null)
      this.position = position
      this.startOffset = position.offset
      this.timer = setInterval(() => this.acknowledge(), ACK_INTERVAL_MS)
      await this.snapshot(this.link)
      this.isInStream = true
      this.acknowledge()
      await this.stream()
      this.spool.end()
    } catch (error) {
      this.spool.end(this.isStopped ? null : error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.stop()
    }
  }

  /** Says how far we are: each second, when the source asks, and at first, for a source may wait for that. */
  acknowledge(): void {
    if (this.isInStream) this.link?.acknowledge(this.appliedOffset() ?? this.startOffset ?? 0)
    else this.link?.keepAlive()
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearInterval(this.timer)
    this.link?.close()
  }

  private async snapshot(link: ReplicationLink): Promise<void> {
    const end = await link.snapshotEnd()
    if (end === null) throw this.brokenSnapshot()
    if ('bytes' in end) {
      this.snapshotTotal = end.bytes
      while (this.snapshotBytes < end.bytes) {
        const chunk = await this.snapshotChunk(link)
        const part = chunk.subarray(0, end.bytes - this.snapshotBytes)
        link.unread(chunk.subarray(part.length))
        await this.push(part)
      }
      return
    }
    // The mark is the last that comes, and nothing follows it until we have answered.
    let held = Buffer.alloc(0)
    for (;;) {
      const bytes = Buffer.concat([held, await this.snapshotChunk(link)])
      const at = bytes.length - end.mark.length
      if (at >= 0 && bytes.subarray(at).equals(end.mark)) return this.push(bytes.subarray(0, at))
      const keep = Math.min(bytes.length, end.mark.length)
      held = bytes.subarray(bytes.length - keep)
      await this.push(bytes.subarray(0, bytes.length - keep))
    }
  }

  private async push(bytes: Buffer): Promise<void> {
    this.snapshotBytes += bytes.length
    if (bytes.length > 0) await this.spool.push(bytes)
  }

  private async snapshotChunk(link: ReplicationLink): Promise<Buffer> {
    const chunk = await link.read()
    if (chunk !== null) return chunk
    throw this.brokenSnapshot()
  }

  private brokenSnapshot(): MeridianError {
    return this.lost(
      'the link broke before the snapshot was complete',
      "Look at the source's log. Run it again with --replace, or empty the target first.",
    )
  }

  private async stream(): Promise<void> {
    while (!this.isStopped) {
      const chunk = (await this.link?.read()) ?? null
      if (chunk === null) {
        if (!this.isStopped) await this.reconnect()
        continue
      }
      this.position = { id: this.position.id, offset: this.position.offset + chunk.length }
      await this.spool.push(chunk)
    }
  }

  private async reconnect(): Promise<void> {
    const deadlineMs = performance.now() + RETRY_FOR_MS
    this.link?.close()
    for (;;) {
      try {
        const link = await ReplicationLink.open(this.address, this.timeoutMs)
        this.link = link
        const { isSnapshot, position } = await link.follow(this.position)
        if (!isSnapshot) {
          this.position = position
          this.reconnects++
          return
        }
        throw this.lost(
          'the source no longer has the writes that were missed while the link was down',
          'A longer repl-backlog-size at the source bridges longer breaks. Run it again with --replace, or empty the target first.',
        )
      } catch (error) {
        this.link?.close()
        const isFinal = error instanceof MeridianError && error.code === 'MRD_SOURCE'
        if (this.isStopped || isFinal || performance.now() > deadlineMs) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  private lost(why: string, remedy: string): MeridianError {
    return new MeridianError('MRD_SOURCE', `${this.address.host}:${this.address.port} cannot be followed: ${why}`, remedy)
  }
}
