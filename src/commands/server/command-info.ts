import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { KeySpec, KeySpecFlag } from '../command-spec.js'
import type { Command } from '../command-table.js'
import { categoriesOf } from './acl-categories.js'
import { legacyRange, shownFlags } from './command-keys.js'

/** One command in the form of COMMAND INFO. */
export function writeCommandInfo(reply: ReplyWriter, command: Command): void {
  const { spec } = command
  const { first, last, step } = legacyRange(spec)
  reply.array(10)
  reply.bulkString(command.fullName)
  reply.integer(spec.arity)
  writeWords(reply, shownFlags(spec))
  reply.integer(first)
  reply.integer(last)
  reply.integer(step)
  writeWords(
    reply,
    categoriesOf(spec).map((category) => `@${category}`),
  )
  const tips = spec.tips ?? []
  reply.set(tips.length)
  for (const tip of tips) reply.bulkString(tip)
  const keys = spec.keys ?? []
  reply.set(keys.length)
  for (const key of keys) writeKeySpec(reply, key)
  if (command.subcommands.size === 0) {
    reply.set(0)
    return
  }
  reply.array(command.subcommands.size)
  for (const sub of command.subcommands.values()) writeCommandInfo(reply, sub)
}

const KEY_FLAGS: readonly KeySpecFlag[] = [
  'RO',
  'RW',
  'OW',
  'RM',
  'access',
  'update',
  'insert',
  'delete',
  'not_key',
  'incomplete',
  'variable_flags',
]

export function writeKeyFlags(reply: ReplyWriter, key: KeySpec): void {
  writeWords(
    reply,
    KEY_FLAGS.filter((flag) => key.flags.includes(flag)),
  )
}

/** A set of status replies. */
export function writeWords(reply: ReplyWriter, words: readonly string[]): void {
  reply.set(words.length)
  for (const word of words) reply.simpleString(word)
}

function writeKeySpec(reply: ReplyWriter, key: KeySpec): void {
  const { beginSearch, findKeys } = key
  reply.map(3)
  reply.bulkString('flags')
  writeKeyFlags(reply, key)
  reply.bulkString('begin_search')
  if (beginSearch === 'unknown') writeSearch(reply, 'unknown', [])
  else if ('index' in beginSearch) writeSearch(reply, 'index', [['index', beginSearch.index]])
  else {
    writeSearch(reply, 'keyword', [
      ['keyword', beginSearch.keyword],
      ['startfrom', beginSearch.startFrom],
    ])
  }
  reply.bulkString('find_keys')
  if (findKeys === 'unknown') writeSearch(reply, 'unknown', [])
  else if ('lastKey' in findKeys) {
    writeSearch(reply, 'range', [
      ['lastkey', findKeys.lastKey],
      ['keystep', findKeys.step],
      ['limit', findKeys.limit],
    ])
  } else {
    writeSearch(reply, 'keynum', [
      ['keynumidx', findKeys.keyNumIndex],
      ['firstkey', findKeys.firstKey],
      ['keystep', findKeys.step],
    ])
  }
}

function writeSearch(reply: ReplyWriter, type: string, fields: readonly (readonly [string, string | number])[]): void {
  reply.map(2)
  reply.bulkString('type')
  reply.bulkString(type)
  reply.bulkString('spec')
  reply.map(fields.length)
  for (const [name, value] of fields) {
    reply.bulkString(name)
    if (typeof value === 'number') reply.integer(value)
    else reply.bulkString(value)
  }
}
