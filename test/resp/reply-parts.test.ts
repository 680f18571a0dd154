import { expect, it } from 'vitest'
import { ReplyParts } from '../../src/resp/reply-parts.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'

it('gives what was written piece by piece, in order and in few blocks', () => {
  const reply = new ReplyWriter()
  const parts = new ReplyParts()
  let all = ''
  for (let i = 0; i < 400; i++) {
    for (let j = 0; j < i; j++) reply.bulkString(`${i} ${j} ${'x'.repeat((i * j) % 97)}`)
    all += Buffer.from(reply.range(0, reply.length)).toString()
    parts.take(reply)
    expect(reply.length).toBe(0)
  }
  const blocks = parts.takeAll()
  expect(Buffer.concat(blocks).toString()).toBe(all)
  expect(blocks.length).toBeLessThan(20)
  expect(parts.takeAll()).toEqual([])
})

it('begins anew', () => {
  const reply = new ReplyWriter()
  const parts = new ReplyParts()
  reply.integer(1)
  parts.take(reply)
  parts.clear()
  reply.integer(2)
  parts.take(reply)
  expect(Buffer.concat(parts.takeAll()).toString()).toBe(':2\r\n')
})

it('takes a piece that is larger than a block', () => {
  const reply = new ReplyWriter()
  const parts = new ReplyParts()
  const value = 'y'.repeat(3_000_000)
  reply.bulkString(value)
  parts.take(reply)
  expect(Buffer.concat(parts.takeAll()).toString()).toBe(`$3000000\r\n${value}\r\n`)
})
