/** A reply as the member under test gives it. */
export type Reply = null | number | bigint | string | Uint8Array | Error | Reply[]

/**
 * One line of text a reply, for comparing and printing: `$bytes`, `+simple`, `:integer`, `_` for null, `*[...]`, and for an error
 * its code word only, `-ERR`, for the words of messages are held against a real server elsewhere.
 */
export function replyText(reply: Reply): string {
  if (reply === null) return '_'
  if (typeof reply === 'number' || typeof reply === 'bigint') return `:${reply}`
  if (typeof reply === 'string') return `+${reply}`
  if (reply instanceof Uint8Array) return `$${latin1(reply)}`
  if (reply instanceof Error) return `-${reply.message.split(' ', 1)[0]}`
  return `*[${reply.map(replyText).join(' ')}]`
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** An argument as the member takes it: text where it is ASCII, bytes where it is not. */
export function argument(text: string): string | Uint8Array {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return new Uint8Array(Buffer.from(text, 'latin1'))
  return text
}
