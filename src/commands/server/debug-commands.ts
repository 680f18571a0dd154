import { matchesGlob } from '../../base/glob.js'
import { digestOf, digestOfKey } from '../../keyspace/digest.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import { writePayload } from '../../rdb/payload.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import { encoding } from '../generic/object-commands.js'
import { rdbValueOf } from '../generic/whole-values.js'
import { debugProtocol } from './debug-protocol.js'

interface DebugForm {
  /** Fewest and most arguments, DEBUG and the subcommand included. */
  readonly least: number
  readonly most: number
  readonly run: (call: Call) => void
}

/** Never on unless the setting enable-debug-command says so: these stop, distort or reveal. */
export const DEBUG_COMMAND: CommandSpec = {
  name: 'debug',
  arity: -2,
  flags: ['admin', 'noscript', 'loading', 'stale', 'protected'],
  group: 'server',
  since: '1.0.0',
  summary: 'Commands for testing the server.',
  complexity: 'Depends on subcommand.',
  handler: debug,
}

const FORMS: ReadonlyMap<string, DebugForm> = new Map([
  ['sleep', { least: 3, most: 3, run: sleep }],
  ['set-active-expire', { least: 3, most: 3, run: setActiveExpire }],
  ['object', { least: 3, most: 3, run: object }],
  ['stringmatch-len', { least: 4, most: 4, run: stringMatch }],
  ['protocol', { least: 3, most: 3, run: debugProtocol }],
  ['digest', { least: 2, most: 2, run: digest }],
  ['digest-value', { least: 2, most: Infinity, run: digestValue }],
  ['populate', { least: 3, most: 5, run: populate }],
  ['reload', { least: 2, most: 3, run: reload }],
  ['loadaof', { least: 2, most: 2, run: loadLog }],
  ['quicklist-packed-threshold', { least: 3, most: 3, run: packedThreshold }],
  ['error', { least: 3, most: 3, run: error }],
])

const HELP = helpSubcommand('1.0.0', [
  'DIGEST',
  '    A digest of all data.',
  'DIGEST-VALUE <key> [<key> ...]',
  '    A digest of each key.',
  'ERROR <string>',
  '    Answer with this error.',
  'LOADAOF',
  '    Forget all data and read it again from the last snapshot and the log behind it.',
  'OBJECT <key>',
  '    What is known of a key.',
  'POPULATE <count> [<prefix>] [<size>]',
  '    Make string keys <prefix>:<number>.',
  'PROTOCOL (string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false)',
  '    Answer with a value of this type.',
  'QUICKLIST-PACKED-THRESHOLD <size>',
  '    Elements of lists from this size on are kept apart from the others; 0 for the usual size.',
  'RELOAD [NOSAVE]',
  '    Write a snapshot, forget all data and read it again from there. NOSAVE: the same as LOADAOF.',
  'SET-ACTIVE-EXPIRE (0|1)',
  '    Whether due keys are removed by the server itself.',
  'SLEEP <seconds>',
  '    Stop the whole server for a time.',
  'STRINGMATCH-LEN <pattern> <string>',
  '    Whether a glob pattern matches.',
])

function debug(call: Call): void {
  if (!isAllowed(call)) {
    throw new CommandError(
      'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, ' +
        'otherwise you need to set this option in the configuration file, and then restart the server.',
    )
  }
  if (call.argc === 2 && call.is(1, 'HELP')) {
    HELP.handler?.(call)
    return
  }
  const form = FORMS.get(call.text(1).toLowerCase())
  if (form === undefined || call.argc < form.least || call.argc > form.most) throw wrongSubcommand(call)
  form.run(call)
}

function isAllowed({ services, session }: Call): boolean {
  const allowed = services.settings.debugCommand
  if (allowed !== 'local') return allowed === 'yes'
  const address = services.clients.find(session.id)?.address ?? ''
  return address.startsWith('127.') || address.startsWith('[::1]') || address.startsWith('[::ffff:127.')
}

function sleep(call: Call): void {
  const seconds = Number(call.text(2))
  if (!(seconds >= 0)) throw new CommandError(Errors.notFloat)
  call.services.server.sleep(seconds * 1000)
  call.reply.ok()
}

function setActiveExpire(call: Call): void {
  call.engine.activeExpiry = call.integer(2) !== 0
  call.reply.ok()
}

const SIZE = /^(\d{1,10})(b|kb?|mb?)?$/i

function packedThreshold(call: Call): void {
  const match = SIZE.exec(call.text(2))
  if (match === null) throw new CommandError('ERR argument must be a memory value bigger than 1 and smaller than 4gb')
  const unit = (match[2] ?? 'b').toLowerCase()
  const bytes = Number(match[1]) * (unit.startsWith('k') ? 1024 : unit.startsWith('m') ? 1024 ** 2 : 1)
  call.collections.lists.setApartBytes(bytes)
  call.reply.ok()
}

/** A payload's type byte, version and checksum. */
const ENVELOPE_BYTES = 11

function object(call: Call): void {
  const { db, keyspace } = call
  const ref = call.find(2)
  if (ref === 0) throw new CommandError(Errors.noSuchKey)
  const clock = db.accessBits(ref)
  const idle = keyspace.idleSeconds(db, ref)
  call.reply.simpleString(
    `Value at:0x${ref.toString(16)} refcount:1 encoding:${encoding(call, ref)} serializedlength:${writePayload(rdbValueOf(call, db, ref)).length - ENVELOPE_BYTES} lru:${clock} lru_seconds_idle:${idle}`,
  )
}

function stringMatch(call: Call): void {
  const pattern = call.bytes(2)
  const text = call.bytes(3)
  call.reply.integer(matchesGlob(pattern, 0, pattern.length, text, 0, text.length) ? 1 : 0)
}

/** Padded to the length that Redis' digests have. */
function digest(call: Call): void {
  call.reply.simpleString(digestOf(call.keyspace, call).padStart(40, '0'))
}

function digestValue(call: Call): void {
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    const ref = call.find(i)
    const found = ref === 0 ? '' : digestOfKey(call, call.database, call.db, ref)
    call.reply.simpleString(found.padStart(40, '0'))
  }
}

const MAX_POPULATE = 10_000_000
const MAX_POPULATE_BYTES = 1024 * 1024

/** As ordinary writes, in one op: they replicate. */
function populate(call: Call): void {
  const count = call.integer(2)
  const prefix = call.argc > 3 ? call.text(3) : 'key'
  const size = call.argc > 4 ? call.integer(4) : 0
  if (count < 0 || count > MAX_POPULATE || size < 0 || size > MAX_POPULATE_BYTES)
    throw new CommandError('ERR value is out of range, must be positive')
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`${prefix}:${i}`)
    if (call.keyspace.find(call.db, key, 0, key.length) !== 0) continue
    const text = Buffer.from(`value:${i}`)
    const value = size === 0 ? text : Buffer.concat([text, Buffer.alloc(size)], size)
    call.effects.setString(call.database, key, 0, key.length, value, 0, value.length, ExpiryMode.clear)
  }
  call.reply.ok()
}

function reload(call: Call): void {
  if (call.argc === 3 && !call.is(2, 'NOSAVE')) throw new CommandError('ERR DEBUG RELOAD only supports the NOSAVE option.')
  readAgain(call, call.argc === 2)
}

function loadLog(call: Call): void {
  readAgain(call, false)
}

function readAgain(call: Call, saveBefore: boolean): void {
  if (call.engine.isInExec) throw new CommandError('ERR DEBUG RELOAD is not possible inside a transaction')
  const failure = call.services.persistence.reload(saveBefore)
  if (failure !== null) throw new CommandError(failure)
  // What was found out about the arguments is no longer true.
  call.keyspace.beginCommand()
  call.reply.ok()
}

function error(call: Call): void {
  throw new CommandError(call.text(2))
}
