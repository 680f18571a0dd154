/**
 * A reply, for comparing and printing: `$bytes`, `+simple`, `:integer`, `_` for null, an array, and for an error its code word only, `-ERR`, for
 * the words of messages are held against a real server elsewhere.
 */
export type Reply = string | readonly Reply[]

export function parseReply(resp2: string): Reply {
  const reader = { at: 0 }
  const reply = readReply(resp2, reader)
  if (reader.at !== resp2.length) throw new Error(`more than one reply: ${JSON.stringify(resp2)}`)
  return reply
}

/** On one line. */
export function shown(reply: Reply): string {
  return typeof reply === 'string' ? reply : `*[${reply.map(shown).join(' ')}]`
}

function readReply(resp: string, reader: { at: number }): Reply {
  const type = resp[reader.at]
  const end = resp.indexOf('\r\n', reader.at)
  if (end < 0) throw new Error(`not a reply: ${JSON.stringify(resp)}`)
  const line = resp.slice(reader.at + 1, end)
  reader.at = end + 2
  if (type === '+' || type === ':') return type + line
  if (type === '-') return `-${line.split(' ', 1)[0]}`
  const length = Number(line)
  if (length < 0) return '_'
  if (type === '$') {
    reader.at += length + 2
    return `$${resp.slice(end + 2, end + 2 + length)}`
  }
  if (type !== '*') throw new Error(`not a reply: ${JSON.stringify(resp)}`)
  return Array.from({ length }, () => readReply(resp, reader))
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

/** An argument as a member takes it: text where it is ASCII, bytes where it is not. */
export function argument(text: string): string | Uint8Array {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return bytesOf(text)
  return text
}
