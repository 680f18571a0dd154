import { shown, type Reply } from './reply.js'
import { orderOf } from './types/all-types.js'

/** On one line, the same for two replies that are both right when one is: what has no order is sorted. */
export function canonical(command: string, reply: Reply): string {
  const order = typeof reply === 'string' ? undefined : orderOf(command)
  if (order === undefined || typeof reply === 'string') return shown(reply)
  const items = reply.map(shown)
  if (order === 'items') return `*[${items.sort().join(' ')}]`
  return `*[${items
    .filter((_, i) => i % 2 === 0)
    .map((item, i) => `${item} ${items[i * 2 + 1]}`)
    .sort()
    .join(' ')}]`
}
