import { MeridianError } from '../../base/errors.js'
import { LIMITS } from '../../base/limits.js'
import { readPayload, sealPayload } from '../../rdb/payload.js'
import type { RdbItem, RdbKeyItem } from '../../rdb/rdb-file-reader.js'
import { isLargeCollection, writesOf } from '../large-value.js'
import type { PipelinedClient, RawReply } from '../pipelined-client.js'
import { printable } from '../printable.js'
import { refused } from '../redis-client.js'
import { ImportCounts } from './import-counts.js'
import { payloadWithLaterFields } from './expiry-shift.js'
import type { KeySelection } from './key-selection.js'

/** What to do with a key that the target has already. */
export type ExistingPolicy = 'fail' | 'skip' | 'replace'

export interface LoadOptions {
  readonly selection: KeySelection
  readonly existing: ExistingPolicy
  /** Leave out and count what Meridian cannot hold; otherwise it is an error. */
  readonly skipUnsupported: boolean
  /** Names the source in errors. */
  readonly source: string
  /** Write times of expiry this much later, and what has expired as well: see expiry-shift. */
  readonly expiryShiftMs?: number
}

/** Writes what an RDB file or stream holds into a target: one RESTORE a key, many on their way at once. */
export class RdbLoader {
  readonly counts = new ImportCounts()
  /** Fields of hashes expire, and their times were written later. */
  hasExpiringFields = false
  private version = 0
  private failure: Error | null = null

  constructor(
    private readonly target: PipelinedClient,
    private readonly options: LoadOptions,
  ) {}

  /**
   * Takes the next item; what is returned is to be awaited before the one after it.
   * @throws MeridianError
   */
  take(item: RdbItem): Promise<void> | undefined {
    switch (item.kind) {
      case 'version':
        this.version = item.version
        return
      case 'key':
        return this.key(item)
      case 'function':
        this.counts.functions.push(libraryName(item.code))
        return
      case 'module-aux':
        this.unsupported(`data of the module ${item.module}`, item.offset)
        return
      default:
        return
    }
  }

  /** Waits until the target has answered everything. @throws MeridianError */
  async finish(): Promise<void> {
    await this.target.drained()
    if (this.failure !== null) throw this.failure
  }

  private key(item: RdbKeyItem): Promise<void> | undefined {
    if (this.failure !== null) throw this.failure
    const { counts } = this
    const database = this.options.selection.target(item.database)
    if (database === null || !this.options.selection.takes(item.key)) {
      counts.unselected++
      return
    }
    if (item.unsupported !== null) {
      this.unsupported(item.unsupported, item.offset, item.key)
      return
    }
    const shift = this.options.expiryShiftMs ?? 0
    if (shift === 0 && item.expiresAtMs !== null && item.expiresAtMs <= Date.now()) {
      counts.expired++
      return
    }
    if (isLargeCollection(item.type, item.value.length)) return this.build(database, item)
    if (database === this.target.database) {
      this.restore(database, item)
      return this.target.bytesInFlight > LIMITS.bulkInFlightBytes ? this.target.room(LIMITS.bulkInFlightBytes) : undefined
    }
    return this.selectAndRestore(database, item)
  }

  private async selectAndRestore(database: number, item: RdbKeyItem): Promise<void> {
    await this.target.select(database)
    this.restore(database, item)
    await this.target.room(LIMITS.bulkInFlightBytes)
  }

  private restore(database: number, item: RdbKeyItem): void {
    const { type, offset, expiresAtMs, idleSeconds, frequency } = item
    const key = Buffer.from(item.key)
    const shift = this.options.expiryShiftMs ?? 0
    let payload: Uint8Array = sealPayload(type, item.value, this.version)
    const late = shift === 0 ? null : payloadWithLaterFields(payload, shift)
    if (late !== null) {
      payload = late
      this.hasExpiringFields = true
    }
    const args: (string | Uint8Array)[] = ['RESTORE', key, String(expiresAtMs === null ? 0 : expiresAtMs + shift), payload]
    if (expiresAtMs !== null) args.push('ABSTTL')
    if (this.options.existing === 'replace') args.push('REPLACE')
    if (idleSeconds !== null) args.push('IDLETIME', String(idleSeconds))
    else if (frequency !== null) args.push('FREQ', String(frequency))
    this.target.send(args, (reply) => {
      if (reply instanceof Error) this.restoreFailed(reply, key, offset, payload)
      else this.counts.addLoaded(database, type, expiresAtMs !== null)
    })
  }

  /** Writes a large collection piece by piece, so that the target goes on serving others. */
  private async build(database: number, item: RdbKeyItem): Promise<void> {
    const { target, counts } = this
    const { existing, source } = this.options
    const shift = this.options.expiryShiftMs ?? 0
    const { type, offset, expiresAtMs } = item
    const key = Buffer.from(item.key)
    const { value, failure } = readPayload(sealPayload(type, item.value, this.version))
    if (value === null) throw unreadable(source, key, offset, failure.detail)
    await target.select(database)
    if (existing === 'replace') {
      await target.command('UNLINK', key)
    } else if (numberOf(await target.command('EXISTS', key)) > 0) {
      if (existing === 'fail') throw keyExists(key)
      counts.existing++
      return
    }
    const check = (reply: RawReply): void => {
      if (reply instanceof Error) this.failure ??= refused(target.address, `a part of ${printable(key)}`, reply)
    }
    for (const args of writesOf(key, value, shift)) {
      target.send(args, check)
      if (target.bytesInFlight > LIMITS.bulkInFlightBytes) await target.room(LIMITS.bulkInFlightBytes)
      if (this.failure !== null) throw this.failure
    }
    if (value.type === 'hash' && value.expiries !== null && shift > 0) this.hasExpiringFields = true
    if (expiresAtMs !== null) target.send(['PEXPIREAT', key, String(expiresAtMs + shift)], check)
    counts.addLoaded(database, type, expiresAtMs !== null)
  }

  private restoreFailed(error: Error, key: Uint8Array, offset: number, payload: Uint8Array): void {
    const { source, existing } = this.options
    if (error instanceof MeridianError) {
      this.failure ??= error
    } else if (error.message.startsWith('BUSYKEY') && existing === 'skip') {
      this.counts.existing++
    } else if (error.message.startsWith('BUSYKEY')) {
      this.failure ??= keyExists(key)
    } else {
      const { failure } = readPayload(payload)
      // Redis, too, leaves such keys out when it loads a file.
      if (failure?.code === 'empty') this.counts.empty++
      else if (failure === null) this.failure ??= refused(this.target.address, `RESTORE of ${printable(key)}`, error)
      else this.failure ??= unreadable(source, key, offset, failure.detail)
    }
  }

  private unsupported(what: string, offset: number, key?: Uint8Array): void {
    if (!this.options.skipUnsupported) throw unsupportedValue(this.options.source, what, offset, key)
    this.counts.addUnsupported(what)
  }
}

const EXISTING_REMEDY = 'Choose --skip-existing to leave such keys as they are or --replace to write over them.'

export function keyExists(key: Uint8Array, remedy = EXISTING_REMEDY): MeridianError {
  return new MeridianError('MRD_IMPORT_EXISTS', `The target has the key ${printable(key)} already`, remedy)
}

export function unsupportedValue(source: string, what: string, offset: number, key?: Uint8Array): MeridianError {
  const where = key === undefined ? '' : `, in the key ${printable(key)}`
  return new MeridianError(
    'MRD_RDB_UNSUPPORTED',
    `${source} has ${what.startsWith('data') ? what : `a value of ${what}`} at byte ${offset}${where}`,
    'Meridian has neither modules nor arrays: --skip-unsupported leaves such values out and counts them.',
  )
}

function unreadable(source: string, key: Uint8Array, offset: number, detail: string): MeridianError {
  return new MeridianError(
    'MRD_RDB_DAMAGED',
    `${source} has a value that cannot be read, of the key ${printable(key)} at byte ${offset}: ${detail}`,
    'Make it anew, or take another copy of it.',
  )
}

/** `name` in the first line of a library, `#!lua name=x`. */
function libraryName(code: Uint8Array): string {
  return /name=(\S+)/.exec(Buffer.from(code.subarray(0, 256)).toString().split('\n')[0])?.[1] ?? 'unnamed'
}

/** For replies that are a number. */
export function numberOf(reply: RawReply): number {
  return typeof reply === 'number' ? reply : Number(String(reply))
}
