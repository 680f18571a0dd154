import { describe, expect, it } from 'vitest'
import { QueuedRequests } from '../../src/resp/queued-requests.js'
import { Request } from '../../src/resp/request.js'

const argumentsOf = ({ argc, buf, off, len }: Request): string[] =>
  Array.from({ length: argc }, (_, i) => Buffer.from(buf.subarray(off[i], off[i] + len[i])).toString('latin1'))

function readAll(queue: QueuedRequests): string[][] {
  const reader = queue.reader()
  const read: string[][] = []
  for (let each = reader.next(); each !== null; each = reader.next()) read.push(argumentsOf(each))
  return read
}

describe('queued requests', () => {
  it('come again in their order, small and large ones, with many arguments or empty ones', () => {
    const queue = new QueuedRequests()
    const given: string[][] = []
    for (let i = 0; i < 3000; i++) {
      const args = ['SET', `key:${i}`, 'x'.repeat(i % 300), '']
      if (i % 700 === 0) args.push('y'.repeat(100_000))
      if (i % 500 === 3) args.push(...Array.from({ length: 1000 }, (_, n) => `${n}`))
      given.push(args)
      queue.push(Request.of(args))
    }
    expect(queue.length).toBe(3000)
    expect(readAll(queue)).toEqual(given)
    expect(readAll(queue)).toEqual(given)
  })

  it('are none at first', () => {
    expect(readAll(new QueuedRequests())).toEqual([])
  })

  it('are copies: what they came in may be written over', () => {
    const queue = new QueuedRequests()
    const request = Request.of(['GET', 'key'])
    queue.push(request)
    request.buf.fill(0)
    expect(readAll(queue)).toEqual([['GET', 'key']])
  })

  it('begin and end with a large one', () => {
    const large = ['SET', 'k', 'z'.repeat(50_000)]
    const queue = new QueuedRequests()
    for (const args of [large, large, ['PING'], large]) queue.push(Request.of(args))
    expect(readAll(queue)).toEqual([large, large, ['PING'], large])
  })
})
