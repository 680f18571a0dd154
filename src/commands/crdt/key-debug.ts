import { decimalToText } from '../../base/decimal.js'
import { hasValue, isUnsettled, visibleText, type EditEntry } from '../../crdt/string-state.js'
import { LIMITS } from '../../base/limits.js'
import { KeyType } from '../../keyspace/database.js'
import { slotOf } from '../../keyspace/key-hash.js'
import type { Ref } from '../../memory/arena.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { Call } from '../call.js'
import { TYPE_NAMES } from '../generic/type-names.js'

type Value = string | number | boolean | Uint8Array | null | readonly Fields[]
type Fields = readonly (readonly [name: string, value: Value])[]

/** CRDT.DEBUG: everything that is kept of a key, hidden or not; null when nothing is. */
export function writeKeyDebug(call: Call): void {
  const { db, strings, keyspace, reply, request } = call
  const ref = db.lookup(request.buf, request.off[1], request.len[1])
  if (ref === 0) {
    reply.null()
    return
  }
  const state = strings.load(db, ref)
  const type = db.type(ref)
  if (type > KeyType.string) {
    writeCollectionDebug(call, ref)
    return
  }
  const { stability } = keyspace
  const dots = [...state.registers, ...state.edits, ...state.contributions, ...state.expiries]
  writeFields(reply, [
    ['type', hasValue(state) ? 'string' : 'none'],
    ['slot', slotOf(call.bytes(1))],
    ['value', visibleText(state)],
    ['due', hasValue(state) && !keyspace.isVisible(db, ref)],
    // Every member has applied all of it.
    ['stable', dots.every(({ member, stamp }) => stability.covers(member, stamp))],
    // Parts of it go once they are stable.
    ['settled', !isUnsettled(state)],
    ['registers', state.registers.map(({ member, stamp, value }) => [...dot(member, stamp), ['value', value]])],
    ['edits', state.edits.map(editFields)],
    [
      'contributions',
      state.contributions.map(({ member, epoch, stamp, total, base, baseStamp }) => [
        ...dot(member, stamp),
        ['epoch', epoch],
        ['total', decimalToText(total)],
        ['base', decimalToText(base)],
        ['base_stamp', baseStamp],
      ]),
    ],
    ['expiries', state.expiries.map(({ member, stamp, at }) => [...dot(member, stamp), ['at', at === Infinity ? 'never' : at]])],
  ])
}

function writeCollectionDebug(call: Call, ref: Ref): void {
  const { db, keyspace, keys, strings, reply } = call
  const store = keys.store(db.type(ref))
  const root = db.root(ref)
  const lines = store.debug(db, root, LIMITS.debugElements)
  writeFields(reply, [
    ['type', TYPE_NAMES[db.type(ref)]],
    ['slot', slotOf(call.bytes(1))],
    ['encoding', store.encoding(db, root)],
    ['size', store.size(db, root)],
    ['due', !keyspace.isVisible(db, ref)],
    [
      'expiries',
      strings
        .load(db, ref)
        .expiries.map(({ member, stamp, at }) => [...dot(member, stamp), ['at', at === Infinity ? 'never' : at]]),
    ],
    ['elements', lines.map((line) => [['element', line]])],
  ])
}

function dot(member: number, stamp: number): Fields {
  return [
    ['member', member],
    ['stamp', stamp],
  ]
}

function editFields({ member, stamp, edit }: EditEntry): Fields {
  switch (edit.kind) {
    case 'append':
      return [...dot(member, stamp), ['kind', 'append'], ['bytes', edit.bytes]]
    case 'set-range':
      return [...dot(member, stamp), ['kind', 'set-range'], ['offset', edit.offset], ['bytes', edit.bytes]]
    case 'set-bits':
      return [
        ...dot(member, stamp),
        ['kind', 'set-bits'],
        ['offset', edit.offset],
        ['width', edit.width],
        ['bits', edit.value.toString()],
      ]
  }
}

function writeFields(reply: ReplyWriter, fields: Fields): void {
  reply.map(fields.length)
  for (const [name, value] of fields) {
    reply.bulkString(name)
    writeValue(reply, value)
  }
}

function writeValue(reply: ReplyWriter, value: Value): void {
  if (value === null) reply.null()
  else if (typeof value === 'string') reply.bulkString(value)
  else if (typeof value === 'number') reply.integer(value)
  else if (typeof value === 'boolean') reply.boolean(value)
  else if (value instanceof Uint8Array) reply.bulkBytes(value)
  else {
    reply.array(value.length)
    for (const fields of value) writeFields(reply, fields)
  }
}
