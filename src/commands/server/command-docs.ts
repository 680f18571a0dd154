import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { ArgumentSpec } from '../command-spec.js'
import type { Command } from '../command-table.js'
import { writeWords } from './command-info.js'

type Field = readonly [name: string, write: () => void]

/** One command in the form of COMMAND DOCS. */
export function writeCommandDocs(reply: ReplyWriter, command: Command): void {
  const { spec } = command
  const text = (value: string) => () => reply.bulkString(value)
  const fields: Field[] = [
    ['summary', text(spec.summary)],
    ['since', text(spec.since)],
    ['group', text(spec.group)],
    ['complexity', text(spec.complexity)],
  ]
  const { deprecated, history, arguments: args } = spec
  if (deprecated !== undefined) {
    fields.push(
      ['doc_flags', () => writeWords(reply, ['deprecated'])],
      ['deprecated_since', text(deprecated.since)],
      ['replaced_by', text(deprecated.replacedBy)],
    )
  }
  if (history !== undefined) {
    fields.push([
      'history',
      () => {
        reply.set(history.length)
        for (const [since, change] of history) {
          reply.array(2)
          reply.bulkString(since)
          reply.bulkString(change)
        }
      },
    ])
  }
  if (args !== undefined) fields.push(['arguments', () => writeArguments(reply, args)])
  if (command.subcommands.size > 0) {
    fields.push([
      'subcommands',
      () => {
        reply.map(command.subcommands.size)
        for (const sub of command.subcommands.values()) {
          reply.bulkString(sub.fullName)
          writeCommandDocs(reply, sub)
        }
      },
    ])
  }
  writeFields(reply, fields)
}

function writeArguments(reply: ReplyWriter, args: readonly ArgumentSpec[]): void {
  reply.array(args.length)
  for (const arg of args) {
    const text = (value: string) => () => reply.bulkString(value)
    const fields: Field[] = [
      ['name', text(arg.name)],
      ['type', text(arg.type)],
    ]
    const isGroup = arg.type === 'oneof' || arg.type === 'block'
    const { keySpecIndex, token, summary, since, flags } = arg
    if (!isGroup) fields.push(['display_text', text(arg.name)])
    if (keySpecIndex !== undefined) fields.push(['key_spec_index', () => reply.integer(keySpecIndex)])
    if (token !== undefined) fields.push(['token', text(token)])
    if (summary !== undefined) fields.push(['summary', text(summary)])
    if (since !== undefined) fields.push(['since', text(since)])
    if (flags !== undefined && flags.length > 0) fields.push(['flags', () => writeWords(reply, flags)])
    if (isGroup) fields.push(['arguments', () => writeArguments(reply, arg.arguments ?? [])])
    writeFields(reply, fields)
  }
}

function writeFields(reply: ReplyWriter, fields: readonly Field[]): void {
  reply.map(fields.length)
  for (const [name, write] of fields) {
    reply.bulkString(name)
    write()
  }
}
