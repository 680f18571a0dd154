import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'

const TYPES = 'string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false'
const ATTRIBUTE = Buffer.from('|1\r\n')

/** DEBUG PROTOCOL: a value of each type, the same as Redis gives, so that clients can test their parsers. */
export function debugProtocol(call: Call): void {
  const { reply } = call
  switch (call.text(2).toLowerCase()) {
    case 'string':
      return reply.bulkString('Hello World')
    case 'integer':
      return reply.integer(12345)
    case 'double':
      return reply.double('3.141')
    case 'bignum':
      return reply.bigNumber('1234567999999999999999999999999999999')
    case 'null':
      return reply.null()
    case 'array':
      reply.array(3)
      for (let i = 0; i < 3; i++) reply.integer(i)
      return
    case 'set':
      reply.set(3)
      for (let i = 0; i < 3; i++) reply.integer(i)
      return
    case 'map':
      reply.map(3)
      for (let i = 0; i < 3; i++) {
        reply.integer(i)
        reply.boolean(i === 1)
      }
      return
    case 'attrib':
      if (reply.protocol === 3) {
        reply.raw(ATTRIBUTE)
        reply.bulkString('key-popularity')
        reply.array(2)
        reply.bulkString('key:123')
        reply.integer(90)
      }
      // An attribute stands before a reply, and so does a push.
      return reply.bulkString('Some real reply following the attribute')
    case 'push':
      if (reply.protocol === 2) throw new CommandError('ERR RESP2 is not supported by this command')
      reply.push(2)
      reply.bulkString('server-cpu-usage')
      reply.integer(42)
      return reply.bulkString('Some real reply following the push reply')
    case 'verbatim':
      return reply.verbatim('txt', 'This is a verbatim\nstring')
    case 'true':
      return reply.boolean(true)
    case 'false':
      return reply.boolean(false)
    default:
      throw new CommandError(`ERR Wrong protocol type name. Please use one of the following: ${TYPES}`)
  }
}
