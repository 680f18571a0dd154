/** One reply as it stood on the wire: its bytes are bytes[start, end). Aggregates have items; a map has keys and values in turn. */
export interface Reply {
  /** First byte: '+', '-', ':', '$', '*', '%', … */
  readonly type: string
  readonly start: number
  readonly end: number
  readonly items: readonly Reply[]
  /** The text of a line, the content of a bulk; '' for aggregates, null for nulls. latin1. */
  readonly text: string | null
}

const AGGREGATES = new Set(['*', '%', '~', '>', '|'])
const BULKS = new Set(['$', '=', '!'])

/** The reply that begins at a position, or null when the bytes end within it. RESP2 and RESP3. @throws Error on what is no reply. */
export function readReply(bytes: Buffer, start: number): Reply | null {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return null
  const type = String.fromCharCode(bytes[start])
  const line = bytes.toString('latin1', start + 1, lineEnd)
  let end = lineEnd + 2
  if (AGGREGATES.has(type)) {
    const count = Number(line) * (type === '%' || type === '|' ? 2 : 1)
    if (!Number.isInteger(count)) throw new Error(`not a reply: ${type}${line}`)
    const items: Reply[] = []
    for (let i = 0; i < count; i++) {
      const item = readReply(bytes, end)
      if (item === null) return null
      items.push(item)
      end = item.end
    }
    return { type, start, end, items, text: count < 0 ? null : '' }
  }
  if (BULKS.has(type)) {
    const length = Number(line)
    if (!Number.isInteger(length)) throw new Error(`not a reply: ${type}${line}`)
    if (length < 0) return { type, start, end, items: [], text: null }
    if (end + length + 2 > bytes.length) return null
    const text = bytes.toString('latin1', end, end + length)
    return { type, start, end: end + length + 2, items: [], text }
  }
  if (!'+-:_,#('.includes(type)) throw new Error(`not a reply: ${JSON.stringify(type + line)}`)
  return { type, start, end, items: [], text: type === '_' ? null : line }
}
