import { faithfulUtf8 } from '../base/bytes.js'
import { EXCERPT_BYTES } from '../commands/command-error.js'
import type { Command } from '../commands/command-table.js'
import type { Request } from '../resp/request.js'

/** What stands around an argument in the error. */
const QUOTES_BYTES = 3

/** The error reply to a command that is not in the table, with the beginning of what was sent. */
export function unknownCommand(request: Request): string {
  const { buf, off, len } = request
  let shown = ''
  for (let i = 1, left = EXCERPT_BYTES; i < request.argc && left > 0; i++) {
    const bytes = Math.min(len[i], left)
    shown += `'${faithfulUtf8(buf, off[i], bytes)}' `
    left -= bytes + QUOTES_BYTES
  }
  const name = faithfulUtf8(buf, off[0], Math.min(len[0], EXCERPT_BYTES))
  return `ERR unknown command '${name}', with args beginning with: ${shown}`
}

/** The same where the command is there and has no such subcommand. */
export function unknownSubcommand(command: Command, request: Request): string {
  const word = faithfulUtf8(request.buf, request.off[1], Math.min(request.len[1], EXCERPT_BYTES))
  return `ERR unknown subcommand '${word}'. Try ${command.spec.name.toUpperCase()} HELP.`
}
