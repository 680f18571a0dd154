import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, it, vi } from 'vitest'
import { ArgumentsAhead } from '../../src/base/arguments-ahead.js'
import { LIMITS } from '../../src/base/limits.js'
import { Request } from '../../src/resp/request.js'
import { RequestDecoder } from '../../src/resp/request-decoder.js'

/** Feeds the input cut at the given places through one reused buffer, as the server does; returns the commands in latin1. */
function decodePieces(decoder: RequestDecoder, pieces: readonly Uint8Array[]): string[][] {
  const received = new Uint8Array(Math.max(1, ...pieces.map((piece) => piece.length)) + 7)
  const request = new Request()
  const commands: string[][] = []
  for (const piece of pieces) {
    received.fill(0xee)
    received.set(piece, 3)
    decoder.feed(received, 3, 3 + piece.length)
    while (decoder.next(request)) commands.push(argumentsOf(request))
    decoder.retain()
  }
  return commands
}

/** Asks for the next command until all that is there of it has been decoded. */
function nextWhole(decoder: RequestDecoder, request: Request): boolean {
  for (;;) {
    const isWhole = decoder.next(request)
    if (isWhole || !decoder.isPaused) return isWhole
  }
}

function argumentsOf(request: Request): string[] {
  const args: string[] = []
  for (let i = 0; i < request.argc; i++) {
    args.push(Buffer.from(request.buf.subarray(request.off[i], request.off[i] + request.len[i])).toString('latin1'))
  }
  return args
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

function decode(...pieces: string[]): { commands: string[][]; error: string | null } {
  const decoder = new RequestDecoder()
  const commands = decodePieces(decoder, pieces.map(bytes))
  return { commands, error: decoder.error }
}

function encode(args: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) parts.push(Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n'))
  return Buffer.concat(parts)
}

function cut(input: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (input.length + 1)))].sort((a, b) => a - b)
  const pieces: Buffer[] = []
  let from = 0
  for (const to of [...at, input.length]) {
    pieces.push(input.subarray(from, to))
    from = to
  }
  return pieces
}

const argument = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.constantFrom(bytes('\r\n'), bytes('*1\r\n'), bytes('$3\r\nfoo\r\n'), bytes('')),
  fc.integer({ min: 90, max: 5000 }).map((length) => new Uint8Array(length).fill(length)),
)
const bulks = fc.array(argument, { minLength: 1, maxLength: 6 }).map((args) => ({ sent: encode(args), args }))
const inlineWord = fc.stringMatching(/^[a-zA-Z0-9:_.+-]{1,10}$/).map(bytes)
const inline = fc
  .record({ words: fc.array(inlineWord, { minLength: 1, maxLength: 5 }), crlf: fc.boolean() })
  .map(({ words, crlf }) => ({
    sent: Buffer.from(words.map((word) => word.toString('latin1')).join(' ') + (crlf ? '\r\n' : '\n')),
    args: words,
  }))
const skipped = fc
  .constantFrom('\r\n', '*0\r\n', '*-1\r\n', '\n', '   \r\n')
  .map((text) => ({ sent: bytes(text), args: [] as Uint8Array[] }))
const places = fc.array(fc.nat(), { maxLength: 40 })

describe('commands that are decoded ahead', () => {
  /** As decodePieces, and before the i-th command the decoder, or another one that has been fed the same, decodes ahead when it is said so. */
  function decodeAhead(input: Buffer, cuts: readonly number[], when: readonly ('no' | 'yes' | 'another')[]): string[][] {
    const decoder = new RequestDecoder({ maxBulkBytes: 4000, maxArguments: 100 })
    const ahead = new ArgumentsAhead()
    const request = new Request()
    const commands: string[][] = []
    let asked = 0
    for (const piece of cut(input, cuts)) {
      const received = new Uint8Array(piece)
      decoder.feed(received, 0, received.length)
      for (;;) {
        const now = when[asked++ % when.length]
        if (now === 'yes') decoder.peek(ahead)
        if (now === 'another') {
          const another = new RequestDecoder()
          another.feed(new Uint8Array(piece), 0, piece.length)
          another.peek(ahead)
        }
        if (!decoder.next(request)) break
        commands.push(argumentsOf(request))
      }
      decoder.retain()
      received.fill(0xee)
    }
    commands.push([String(decoder.error), String(decoder.pendingBytes)])
    return commands
  }

  const broken = fc
    .constantFrom(
      '*2\r\n$3\r\nGET\r\n$-1\r\n',
      '*1\r\n$5000\r\n',
      '*1\r\n$03\r\nabc\r\n',
      '*x\r\n',
      '*1\r\n:1\r\n',
      '*1\r\n$\r\n\r\n',
    )
    .map((text) => ({ sent: bytes(text), args: [] as Uint8Array[] }))

  it('are those that would have been decoded otherwise', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 12, arbitrary: bulks }, inline, skipped, broken), { maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 3 }),
        fc.array(fc.constantFrom('no' as const, 'yes' as const, 'another' as const), { minLength: 1, maxLength: 9 }),
        (commands, cuts, when) => {
          const input = Buffer.concat(commands.map((command) => command.sent))
          expect(decodeAhead(input, cuts, when)).toEqual(decodeAhead(input, cuts, ['no']))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('are those of usual form, as many as there is room for', () => {
    const ahead = new ArgumentsAhead()
    const peeked = (text: string): number => {
      const decoder = new RequestDecoder()
      decoder.feed(new Uint8Array(bytes(text)), 0, text.length)
      decoder.peek(ahead)
      return ahead.count
    }
    const get = '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'
    expect(peeked(get.repeat(20))).toBe(16)
    expect(peeked(get + get + get.slice(0, -1))).toBe(2)
    expect(peeked(get + 'PING\r\n' + get)).toBe(1)
    expect(peeked(get + encode(Array(9).fill(bytes('a'))).toString('latin1'))).toBe(1)
    expect(peeked('PING\r\n')).toBe(0)
  })

  it('are none while the client must not send large ones', () => {
    const decoder = new RequestDecoder()
    decoder.unauthenticated = true
    const input = new Uint8Array(bytes('*1\r\n$4\r\nPING\r\n'))
    decoder.feed(input, 0, input.length)
    const ahead = new ArgumentsAhead()
    decoder.peek(ahead)
    expect(ahead.count).toBe(0)
  })
})

describe('random streams', () => {
  it('decode to the same arguments wherever they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 4, arbitrary: bulks }, inline, skipped), { maxLength: 20 }),
        places,
        (commands, cuts) => {
          const decoder = new RequestDecoder()
          const decoded = decodePieces(decoder, cut(Buffer.concat(commands.map((command) => command.sent)), cuts))
          expect(decoder.error).toBeNull()
          expect(decoder.drained).toBe(true)
          expect(decoded).toEqual(
            commands
              .filter((command) => command.args.length > 0)
              .map((command) => command.args.map((arg) => Buffer.from(arg).toString('latin1'))),
          )
        },
      ),
      { numRuns: 400 },
    )
  })

  it('decode one byte at a time', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(bulks, inline, skipped), { maxLength: 4 }), (commands) => {
        const input = Buffer.concat(commands.map((command) => command.sent))
        const decoder = new RequestDecoder()
        const decoded = decodePieces(
          decoder,
          Array.from(input, (_, i) => input.subarray(i, i + 1)),
        )
        expect(decoded.length).toBe(commands.filter((command) => command.args.length > 0).length)
      }),
      { numRuns: 50 },
    )
  })

  it('read as redis-parser reads them, which sees an array of bulk replies', () => {
    fc.assert(
      fc.property(fc.array(bulks, { minLength: 1, maxLength: 20 }), places, places, (commands, ourCuts, itsCuts) => {
        const input = Buffer.concat(commands.map((command) => command.sent))
        const replies: string[][] = []
        const parser = new RedisParser({
          returnBuffers: true,
          returnReply: (reply: Buffer[]) => void replies.push(reply.map((bulk) => bulk.toString('latin1'))),
          returnError: (error: Error) => expect.unreachable(error.message),
        })
        for (const piece of cut(input, itsCuts)) if (piece.length > 0) parser.execute(Buffer.from(piece))
        expect(decodePieces(new RequestDecoder(), cut(input, ourCuts))).toEqual(replies)
      }),
      { numRuns: 200 },
    )
  })

  it('survive garbage: every input ends in commands, an error, or waiting', () => {
    const garbage = fc.array(
      fc.constantFrom('*', '$', '1', '2', '-', '\r\n', '\r', '\n', 'x', '"', "'", '\\', ' ', '\0', '99999999999999999999'),
      {
        maxLength: 40,
      },
    )
    fc.assert(
      fc.property(garbage, places, (parts, cuts) => {
        const input = bytes(parts.join(''))
        const whole = new RequestDecoder()
        const pieces = new RequestDecoder()
        const commands = decodePieces(whole, [input])
        expect(decodePieces(pieces, cut(input, cuts))).toEqual(commands)
        expect(pieces.error).toBe(whole.error)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('inline commands', () => {
  const line = (text: string): { commands: string[][]; error: string | null } => decode(`${text}\r\n`)

  it('split at blanks and skip empty lines', () => {
    expect(decode('\r\n\n   \r\nSET  key\tvalue \nPING\r\n').commands).toEqual([['SET', 'key', 'value'], ['PING']])
  })

  it('understand double quotes with escapes', () => {
    expect(line('set "a b" "\\x00\\xfF\\n\\r\\t\\b\\a\\"\\\\\\q" ""').commands).toEqual([
      ['set', 'a b', '\x00\xff\n\r\t\b\x07"\\q', ''],
    ])
    expect(line('"\\xzz"').commands).toEqual([['xzz']])
  })

  it('understand single quotes, where only the quote is escaped', () => {
    expect(line("echo 'it\\'s \\n \"x\"'").commands).toEqual([['echo', 'it\'s \\n "x"']])
  })

  it('let a quote open inside a word', () => {
    expect(line('a"b c" d').commands).toEqual([['ab c', 'd']])
  })

  it('take a backslash outside quotes as itself, and end at a zero byte', () => {
    expect(line('echo a\\nb\0 rest').commands).toEqual([['echo', 'a\\nb']])
  })

  it.each(['set """test-key""" value', '"open', "'open", '"a"b', "'a'b", '"a\\'])('refuse unbalanced quotes: %s', (text) => {
    expect(line(text)).toEqual({ commands: [], error: 'unbalanced quotes in request' })
  })

  it('are bounded, also when they come in pieces', () => {
    const piece = 'a'.repeat(1000)
    const { error } = decode(...Array.from({ length: 66 }, () => piece))
    expect(error).toBe('too big inline request')
    expect(decode('a'.repeat(60_000), 'b\r\n').commands[0][0].length).toBe(60_001)
  })
})

describe('protocol errors', () => {
  it.each([
    ['*3000000000\r\n', 'invalid multibulk length'],
    [`*${LIMITS.maxArguments + 1}\r\n`, 'invalid multibulk length'],
    ['*abc\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n', "expected '$', got 'f'"],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*1\r\n17\r\n', "expected '$', got '1'"],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n', 'invalid bulk length'],
    ['*1\r\n$2000000000\r\n', 'invalid bulk length'],
    ['*1\r\n$blabla\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$007\r\n', 'invalid bulk length'],
    ['*1\r\n$99999999999999999999\r\n', 'invalid bulk length'],
    ['*' + '1'.repeat(70_000), 'too big mbulk count string'],
    ['*1\r\n$' + '1'.repeat(70_000), 'too big bulk count string'],
  ])('%# in Redis words', (input, error) => {
    expect(decode(input)).toEqual({ commands: [], error })
    const half = Math.floor(input.length / 2)
    expect(decode(input.slice(0, half), input.slice(half))).toEqual({ commands: [], error })
  })

  it('come after the commands before them and end decoding', () => {
    expect(decode('*1\r\n$4\r\nPING\r\n*x\r\n', '*1\r\n$4\r\nPING\r\n')).toEqual({
      commands: [['PING']],
      error: 'invalid multibulk length',
    })
  })

  it('wait for a whole line before they judge it', () => {
    expect(decode('*x')).toEqual({ commands: [], error: null })
    expect(decode('*1\r\nfoo')).toEqual({ commands: [], error: null })
  })

  it('hold clients that have not authenticated to small commands', () => {
    const attempt = (input: string): string | null => {
      const decoder = new RequestDecoder()
      decoder.unauthenticated = true
      decodePieces(decoder, [bytes(input)])
      return decoder.error
    }
    expect(attempt('*10\r\n')).toBeNull()
    expect(attempt('*11\r\n')).toBe('unauthenticated multibulk length')
    expect(attempt('*1\r\n$16384\r\n')).toBeNull()
    expect(attempt('*1\r\n$16385\r\n')).toBe('unauthenticated bulk length')
    expect(attempt('*1\r\n$2000000000\r\n')).toBe('invalid bulk length')
  })

  it('follow the configured largest bulk', () => {
    const decoder = new RequestDecoder({ maxBulkBytes: 5, maxArguments: 10 })
    expect(decodePieces(decoder, [bytes('*1\r\n$5\r\nabcde\r\n*1\r\n$6\r\n')])).toEqual([['abcde']])
    expect(decoder.error).toBe('invalid bulk length')
  })
})

describe('memory', () => {
  it('does not take room for a bulk that is only announced', () => {
    const decoder = new RequestDecoder()
    decodePieces(decoder, [bytes('*1\r\n$536870912\r\nabc')])
    expect(decoder.bufferBytes).toBeLessThan(128 * 1024)
  })

  it('copies a bulk of which a megabyte has come no more, and counts the room that has been written to', () => {
    const decoder = new RequestDecoder()
    const total = 32 * 1024 * 1024
    const begin = bytes(`*1\r\n$${total}\r\n`)
    const piece = new Uint8Array(65536).fill(66)
    const request = new Request()
    const copies = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set')
    let got = 0
    for (const part of [begin, ...new Array<Uint8Array>(total / piece.length).fill(piece)]) {
      decoder.feed(part, 0, part.length)
      expect(decoder.next(request)).toBe(false)
      decoder.retain()
      got += part.length
      if (got > 4 * 1024 * 1024) expect(decoder.bufferBytes).toBe(got)
    }
    const longest = Math.max(...copies.mock.calls.map(([from]) => from.length))
    copies.mockRestore()
    expect(longest).toBeLessThan(1.5 * 1024 * 1024)
    decoder.feed(bytes('\r\n'), 0, 2)
    expect(decoder.next(request)).toBe(true)
    expect([request.len[0], request.buf[request.off[0]], request.buf[request.off[0] + total - 1]]).toEqual([total, 66, 66])
  })

  it('copies a command of very many arguments once, when a megabyte of it has come, and counts what has been written to', () => {
    const decoder = new RequestDecoder()
    const count = 500_000
    const input = Buffer.concat([Buffer.from(`*${count}\r\n`), Buffer.from('$20\r\nxxxxxxxxxxxxxxxxxxxx\r\n'.repeat(count))])
    const request = new Request()
    const copies = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set')
    let at = 0
    for (; at + 65536 < input.length; at += 65536) {
      decoder.feed(input, at, at + 65536)
      expect(nextWhole(decoder, request)).toBe(false)
      decoder.retain()
    }
    expect(decoder.bufferBytes).toBe(at)
    const longest = Math.max(...copies.mock.calls.filter(([from]) => from instanceof Uint8Array).map(([from]) => from.length))
    copies.mockRestore()
    expect(longest).toBeLessThan(2 * 1024 * 1024)
    decoder.feed(input, at, input.length)
    expect(nextWhole(decoder, request)).toBe(true)
    expect([request.argc, request.len[count - 1]]).toEqual([count, 20])
  })

  it('takes exactly the room of a large bulk once most of it has come, and lets it go', () => {
    const decoder = new RequestDecoder()
    const value = new Uint8Array(8 * 1024 * 1024).fill(65)
    const input = encode([bytes('SET'), bytes('k'), value])
    const pieces: Uint8Array[] = []
    for (let at = 0; at < input.length - 1; at += 65536) pieces.push(input.subarray(at, Math.min(at + 65536, input.length - 1)))
    expect(decodePieces(decoder, pieces)).toEqual([])
    expect(decoder.bufferBytes).toBe(input.length - 1)
    expect(decodePieces(decoder, [input.subarray(input.length - 1)])[0][2].length).toBe(value.length)
    expect(decoder.bufferBytes).toBe(0)
  })

  it('scans a command of a million arguments once, however it is cut', () => {
    const count = LIMITS.maxArguments
    const input = Buffer.concat([Buffer.from(`*${count}\r\n`), Buffer.from('$1\r\nx\r\n'.repeat(count))])
    const decoder = new RequestDecoder()
    const request = new Request()
    const began = performance.now()
    for (let at = 0; at < input.length; at += 512) {
      decoder.feed(input, at, Math.min(at + 512, input.length))
      const complete = decoder.next(request)
      expect(complete).toBe(at + 512 >= input.length)
      if (!complete) decoder.retain()
    }
    expect(request.argc).toBe(count)
    expect(request.buf[request.off[count - 1]]).toBe(120)
    expect(performance.now() - began).toBeLessThan(3000)
  })

  it('buffers input that is not decoded yet, and decodes it later', () => {
    const decoder = new RequestDecoder()
    const request = new Request()
    const one = bytes('*1\r\n$4\r\nPING\r\n')
    for (let i = 0; i < 1000; i++) {
      decoder.feed(one, 0, one.length)
      decoder.retain()
    }
    expect(decoder.pendingBytes).toBe(14_000)
    let count = 0
    while (decoder.next(request)) {
      expect(argumentsOf(request)).toEqual(['PING'])
      decoder.retain()
      count++
    }
    expect(count).toBe(1000)
    decoder.shrink()
    expect(decoder.bufferBytes).toBe(0)
  })
})

describe('a request that is kept', () => {
  const large = 'x'.repeat(300_000)
  const set = `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$300000\r\n${large}\r\n`
  const ping = '*1\r\n$4\r\nPING\r\n'

  /** Feeds pieces through one reused buffer and keeps every request. */
  function keep(...pieces: string[]): { kept: Request[]; took: boolean[]; left: number } {
    const decoder = new RequestDecoder()
    const received = new Uint8Array(2_000_000)
    const request = new Request()
    const kept: Request[] = []
    const took: boolean[] = []
    for (const piece of pieces) {
      received.fill(0xee)
      received.set(bytes(piece))
      decoder.feed(received, 0, piece.length)
      while (decoder.next(request)) {
        const copy = request.copy()
        kept.push(copy)
        took.push(copy.buf === request.buf)
      }
      decoder.retain()
    }
    return { kept, took, left: decoder.bufferBytes }
  }

  it("has the decoder's buffer if a large command was all that was in it", () => {
    const { kept, took, left } = keep(set.slice(0, 1000), set.slice(1000), ping, set.slice(0, 70_000), set.slice(70_000))
    expect(kept.map(argumentsOf)).toEqual([['SET', 'k', large], ['PING'], ['SET', 'k', large]])
    expect(took).toEqual([true, false, true])
    expect(left).toBe(0)
  })

  it('is copied where others are in the buffer too, and where the buffer is that of the socket', () => {
    const { kept, took } = keep(set.slice(0, 1000), set.slice(1000) + ping, set)
    expect(kept.map(argumentsOf)).toEqual([['SET', 'k', large], ['PING'], ['SET', 'k', large]])
    expect(took).toEqual([false, false, false])
  })

  it('is copied the second time', () => {
    const decoder = new RequestDecoder()
    const request = new Request()
    decoder.feed(bytes(set.slice(0, 1000)), 0, 1000)
    decoder.next(request)
    decoder.retain()
    decoder.feed(bytes(set.slice(1000)), 0, set.length - 1000)
    expect(decoder.next(request)).toBe(true)
    const copies = [request.copy(), request.copy()]
    expect(copies.map(({ buf }) => buf === request.buf)).toEqual([true, false])
    expect(copies.map(argumentsOf)).toEqual(Array.from({ length: 2 }, () => ['SET', 'k', large]))
  })
})

describe('a command of very many arguments', () => {
  const many = 5 * LIMITS.decodedArguments
  const input = bytes(`*${many + 1}\r\n$1\r\nc\r\n${Array.from({ length: many }, (_, i) => `$5\r\n${10_000 + i}\r\n`).join('')}`)
  const ping = bytes('*1\r\n$4\r\nPING\r\n')

  /** Asks until there is nothing more to decode; gives the commands, and how often it was asked in vain though there was. */
  function ask(decoder: RequestDecoder, piece: Uint8Array): { commands: string[][]; pauses: number } {
    const request = new Request()
    const commands: string[][] = []
    let pauses = 0
    decoder.feed(piece, 0, piece.length)
    for (;;) {
      if (decoder.next(request)) commands.push(argumentsOf(request))
      else if (decoder.isPaused) pauses++
      else break
      // It may be asked again later.
      if (pauses % 2 === 1) decoder.retain()
    }
    decoder.retain()
    return { commands, pauses }
  }

  it('is decoded some of them at a time', () => {
    const { commands, pauses } = ask(new RequestDecoder(), Buffer.concat([ping, input, ping]))
    expect(pauses).toBe(5)
    expect(commands.map(({ length }) => length)).toEqual([1, many + 1, 1])
    expect(commands[1].slice(0, 3)).toEqual(['c', '10000', '10001'])
    expect(commands[1].at(-1)).toBe(String(10_000 + many - 1))
  })

  it('is whole however it comes', () => {
    for (const at of [20, 15_000, input.length - 3]) {
      const decoder = new RequestDecoder()
      const first = ask(decoder, input.subarray(0, at))
      expect(first.commands).toEqual([])
      const rest = ask(decoder, Buffer.concat([input.subarray(at), ping]))
      expect(first.pauses + rest.pauses).toBeGreaterThan(3)
      expect(rest.commands.map(({ length }) => length)).toEqual([many + 1, 1])
      expect(rest.commands[0].at(-1)).toBe(String(10_000 + many - 1))
    }
  })

  it('is refused in the middle when it is malformed there', () => {
    const decoder = new RequestDecoder()
    const broken = Buffer.from(input)
    broken[input.length - 9] = 'x'.charCodeAt(0)
    const { commands, pauses } = ask(decoder, broken)
    expect([commands, pauses, decoder.isPaused]).toEqual([[], 5, false])
    expect(decoder.error).toBe('invalid bulk length')
  })
})
