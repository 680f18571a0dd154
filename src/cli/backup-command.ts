import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { createBackup, verifyBackup } from '../node/backup-files.js'
import { sizeArgument } from './argument.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { printLine, type CliContext } from './context.js'
import { PipelinedClient, SILENCE_MS } from './pipelined-client.js'
import { ProgressLine, duration } from './progress-line.js'
import { RateLimit } from './rate-limit.js'
import { refused, type RedisAddress } from './redis-client.js'

const EXAMPLES = `
Any member will do: each has everything. It goes on serving, and so do all others. The backup is the state of one moment, at which it says that it is fetching; what is
acknowledged before is in it. The file is complete and checked, or it is not there. A password is read from the environment: REDISCLI_AUTH.

Examples:
  $ meridian backup shop.mbackup --from us.example.net:6379
  $ meridian backup shop-$(date +%F).mbackup --config us.yaml
  $ meridian backup shop.mbackup --from us.example.net:6379 --max-rate 10mb      leaves room on a shared link
  $ meridian check shop.mbackup                                        reads every key and every write in it`

type Options = ConnectionOptions & { from?: string; force?: boolean; maxRate?: number }

export function addBackupCommand(program: Command, context: CliContext): void {
  const command = program
    .command('backup')
    .description('fetch a backup of everything from a running member')
    .argument('<file>', 'write this file')
    .option('--from <host:port>', 'the member, at its port for clients')
    .option('--max-rate <size>', 'fetch no more than so many bytes a second, such as 10mb (64kb at least)', rateArgument)
    .option('--force', 'replace the file if it exists')
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, options: Options) => {
      const path = resolve(file)
      if (options.force !== true && existsSync(path))
        throw new MeridianError('MRD_FILE_EXISTS', `${file} exists`, 'Choose another name, or --force to replace it.')
      const [target] = targetsOf(options.from === undefined ? [] : [options.from], options)
      const client = await PipelinedClient.connect(target, options.timeout, SILENCE_MS)
      let isStopped = false
      const stopListening = context.onStopRequest(() => (isStopped = true))
      try {
        await fetchBackup(client, target, path, new RateLimit(options.maxRate ?? Infinity), context, () => isStopped)
      } finally {
        stopListening()
        client.close()
      }
    })
}

/** A member gives a backup up that asks for nothing for a minute: a piece must not take that long. */
const LEAST_RATE = 64 * 1024

function rateArgument(text: string): number {
  const rate = sizeArgument(text)
  if (rate >= LEAST_RATE) return rate
  throw new InvalidArgumentError(`Allowed: a size of ${LEAST_RATE} bytes or more.`)
}

/** Between questions whether the backup is ready. */
const ASK_MS = 100
/** Pieces asked for at a time. */
const PIECES_AHEAD = 4
const PIECE_BYTES = 256 * 1024

async function fetchBackup(
  client: PipelinedClient,
  member: RedisAddress,
  path: string,
  rate: RateLimit,
  context: CliContext,
  isStopped: () => boolean,
): Promise<void> {
  const progress = new ProgressLine(context.stderr)
  const id = await client.text('CRDT.BACKUP', 'BEGIN')
  const ready = await whenReady(client, id, isStopped, progress)
  const snapshotLength = ready.number('snapshot-bytes')
  const logLength = ready.number('log-bytes')
  const total = snapshotLength + logLength
  const hash = createHash('sha256')
  const header = {
    snapshotLength,
    logPosition: ready.number('log-position'),
    logLength,
    createdMs: Date.now(),
    memberName: ready.text('member'),
  }
  const writer = createBackup(path, header, (bytes) => hash.update(bytes))
  try {
    const coming: Promise<Buffer>[] = []
    for (let asked = 0; writer.missing > 0;) {
      for (; coming.length < PIECES_AHEAD && asked < total; asked += PIECE_BYTES) {
        const waitMs = rate.take(PIECE_BYTES)
        if (waitMs > 0) await new Promise((resume) => setTimeout(resume, waitMs))
        const piece = readPiece(client, member, id, asked)
        // Looked at when its turn comes.
        piece.catch(() => undefined)
        coming.push(piece)
      }
      const bytes = await coming.shift()
      if (bytes === undefined || bytes.length === 0) throw failed('the member sent less than it has announced')
      writer.add(bytes)
      if (isStopped()) throw failed('it was stopped')
      const done = total - writer.missing
      progress.update(() => `fetching: ${Math.floor((100 * done) / total)} % of ${total} bytes`)
    }
    await client.command('CRDT.BACKUP', 'END', id)
    writer.finish((aside) => verifyBackup(aside, (share) => progress.update(() => `checking: ${Math.floor(100 * share)} %`)))
  } catch (error) {
    writer.abandon()
    throw error
  } finally {
    progress.clear()
  }
  const lines = [
    `backup of everything that ${header.memberName} had is in ${path}, taken in ${duration(progress.elapsedMs)}`,
    `  ${total} bytes: a snapshot of ${snapshotLength}, and ${logLength} of the log behind it; read again and whole`,
    `  SHA-256 ${hash.digest('hex')}  ${basename(path)}`,
  ]
  printLine(context.stdout, lines.join('\n'))
}

/** What CRDT.BACKUP STATE says. */
class State {
  constructor(private readonly fields: readonly unknown[]) {}

  text(name: string): string {
    const at = this.fields.findIndex((field) => String(field) === name)
    return at < 0 ? '' : String(this.fields[at + 1])
  }

  number(name: string): number {
    return Number(this.text(name))
  }
}

async function whenReady(client: PipelinedClient, id: string, isStopped: () => boolean, progress: ProgressLine): Promise<State> {
  for (;;) {
    const reply = await client.command('CRDT.BACKUP', 'STATE', id)
    const state = new State(Array.isArray(reply) ? (reply as readonly unknown[]) : [])
    if (state.text('state') === 'ready') return state
    if (isStopped()) throw failed('it was stopped')
    progress.update(() => 'the member writes a snapshot')
    await new Promise((resume) => setTimeout(resume, ASK_MS))
  }
}

async function readPiece(client: PipelinedClient, member: RedisAddress, id: string, offset: number): Promise<Buffer> {
  const reply = await client.command('CRDT.BACKUP', 'READ', id, String(offset))
  if (Buffer.isBuffer(reply)) return reply
  throw refused(member, 'CRDT.BACKUP', new Error('its reply is no bytes'))
}

function failed(what: string): MeridianError {
  return new MeridianError('MRD_BACKUP_FAILED', `The backup was not taken: ${what}`, 'There is no new file. Run it again.')
}
