import { beforeEach, describe, expect, it } from 'vitest'
import {
  countDense,
  countRegisters,
  DENSE_BYTES,
  denseRegister,
  forgetCount,
  hasHeader,
  HEADER_BYTES,
  indexOf,
  isDense,
  mergeDense,
  patternOf,
  rankIn,
  REGISTERS,
  rememberCount,
  rememberedCount,
  setDenseRegister,
  SPARSE_MAX_BYTES,
  writeDense,
} from '../../src/crdt/hyperloglog.js'
import {
  ADD_BYTES,
  BROKEN,
  countSparse,
  describeRuns,
  EMPTY_BYTES,
  isWhole,
  mergeSparse,
  NEEDS_DENSE,
  raiseSparse,
  sparseRegister,
  sparseToDense,
  UNCHANGED,
  writeEmpty,
  writeSparse,
} from '../../src/crdt/hyperloglog-sparse.js'
import { SeededRandom } from '../differential/seeded-random.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'

/** Bytes before and behind the value, which nothing may touch. */
const MARGIN = 8
const MARK = 0xa5

/** A HyperLogLog in the middle of a buffer, changed as a store would. */
class Sketch {
  readonly buf = new Uint8Array(MARGIN + DENSE_BYTES + MARGIN).fill(MARK)
  readonly off = MARGIN
  len = EMPTY_BYTES

  constructor() {
    writeEmpty(this.buf, this.off)
  }

  add(element: Uint8Array): boolean {
    const pattern = patternOf(element, 0, element.length)
    return this.raise(indexOf(pattern), rankIn(pattern))
  }

  raise(index: number, rank: number): boolean {
    if (!isDense(this.buf, this.off)) {
      const length = raiseSparse(this.buf, this.off, this.len, index, rank, SPARSE_MAX_BYTES)
      if (length === UNCHANGED) return false
      if (length > 0) {
        this.len = length
        return true
      }
      expect(length).toBe(NEEDS_DENSE)
      const dense = new Uint8Array(DENSE_BYTES)
      expect(sparseToDense(this.buf, this.off, this.len, dense, 0)).toBe(true)
      this.buf.set(dense, this.off)
      this.len = DENSE_BYTES
    }
    if (denseRegister(this.buf, this.off, index) >= rank) return false
    setDenseRegister(this.buf, this.off, index, rank)
    forgetCount(this.buf, this.off)
    return true
  }

  get bytes(): Buffer {
    return Buffer.from(this.buf.subarray(this.off, this.off + this.len))
  }

  get count(): number {
    return isDense(this.buf, this.off) ? countDense(this.buf, this.off) : countSparse(this.buf, this.off, this.len)
  }

  checkMargins(): void {
    const outside = [...this.buf.subarray(0, this.off), ...this.buf.subarray(this.off + DENSE_BYTES)]
    expect(outside.every((byte) => byte === MARK)).toBe(true)
  }
}

function registersOf(sketch: Sketch): Uint8Array {
  const registers = new Uint8Array(REGISTERS)
  if (isDense(sketch.buf, sketch.off)) mergeDense(registers, sketch.buf, sketch.off)
  else expect(mergeSparse(registers, sketch.buf, sketch.off, sketch.len)).toBe(true)
  return registers
}

describe('a HyperLogLog', () => {
  it('says which bytes are one', () => {
    const sketch = new Sketch()
    expect(hasHeader(sketch.bytes, 0, sketch.len)).toBe(true)
    expect(hasHeader(Buffer.from('HYLL'), 0, 4)).toBe(false)
    for (const [at, byte] of [
      [0, 0x30],
      [3, 0x30],
      [4, 2],
      [4, 0],
    ]) {
      const wrong = sketch.bytes
      wrong[at] = byte
      expect(hasHeader(wrong, 0, wrong.length)).toBe(false)
    }
    const dense = new Uint8Array(DENSE_BYTES)
    writeDense(new Uint8Array(REGISTERS), dense, 0)
    expect(hasHeader(dense, 0, DENSE_BYTES)).toBe(true)
    expect(hasHeader(dense, 0, DENSE_BYTES - 1)).toBe(false)
  })

  it('keeps a count in its header until a register changes', () => {
    const sketch = new Sketch()
    const { buf, off } = sketch
    expect(rememberedCount(buf, off)).toBe(0)
    rememberCount(buf, off, 5_000_000_000)
    expect(rememberedCount(buf, off)).toBe(5_000_000_000)
    sketch.raise(5, 3)
    expect(rememberedCount(buf, off)).toBeNaN()
  })

  it('reads and writes dense registers without touching their neighbours', () => {
    const random = new SeededRandom(1)
    const dense = new Uint8Array(DENSE_BYTES + 1).fill(MARK)
    const want = Uint8Array.from({ length: REGISTERS }, () => random.below(64))
    for (let i = REGISTERS - 1; i >= 0; i--) setDenseRegister(dense, 0, i, want[i])
    expect(dense[DENSE_BYTES]).toBe(MARK)
    for (let i = 0; i < REGISTERS; i++) if (denseRegister(dense, 0, i) !== want[i]) throw new Error(`register ${i}`)
    const read = new Uint8Array(REGISTERS)
    mergeDense(read, dense, 0)
    expect(read).toEqual(want)
    const written = new Uint8Array(DENSE_BYTES)
    writeDense(want, written, 0)
    expect(Buffer.compare(written.subarray(HEADER_BYTES), dense.subarray(HEADER_BYTES, DENSE_BYTES))).toBe(0)
  })

  it('holds the same registers in either representation, whatever the order of the adds', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SeededRandom(seed)
      const sketch = new Sketch()
      const want = new Uint8Array(REGISTERS)
      // Close together, so that runs are split and joined often.
      const span = 8 + random.below(seed % 2 === 0 ? 60 : 3000)
      for (let i = 0; i < 600; i++) {
        const index = (seed * 700 + random.below(span)) % REGISTERS
        const rank = 1 + random.below(random.below(40) === 0 && seed > 15 ? 51 : 6)
        const before = isDense(sketch.buf, sketch.off)
          ? denseRegister(sketch.buf, sketch.off, index)
          : sparseRegister(sketch.buf, sketch.off, sketch.len, index)
        expect(before).toBe(want[index])
        expect(sketch.raise(index, rank)).toBe(rank > want[index])
        want[index] = Math.max(want[index], rank)
      }
      sketch.checkMargins()
      expect(registersOf(sketch)).toEqual(want)
      expect(sketch.count).toBe(countRegisters(want))

      const rewritten = new Uint8Array(SPARSE_MAX_BYTES)
      const length = writeSparse(want, rewritten, 0, SPARSE_MAX_BYTES)
      if (length < 0) continue
      expect(isWhole(rewritten, 0, length)).toBe(true)
      const read = new Uint8Array(REGISTERS)
      expect(mergeSparse(read, rewritten, 0, length)).toBe(true)
      expect(read).toEqual(want)
    }
  })

  it('becomes dense when a rank or the length is too much', () => {
    const sketch = new Sketch()
    expect(raiseSparse(sketch.buf, sketch.off, sketch.len, 7, 32, SPARSE_MAX_BYTES)).toBe(EMPTY_BYTES + 2)
    expect(raiseSparse(sketch.buf, sketch.off, EMPTY_BYTES + 2, 7, 33, SPARSE_MAX_BYTES)).toBe(NEEDS_DENSE)
    expect(raiseSparse(sketch.buf, sketch.off, EMPTY_BYTES + 2, 9, 1, EMPTY_BYTES + 3)).toBe(NEEDS_DENSE)
    const registers = new Uint8Array(REGISTERS)
    const to = new Uint8Array(DENSE_BYTES)
    expect(writeSparse(registers, to, 0, EMPTY_BYTES - 1)).toBe(NEEDS_DENSE)
    expect(writeSparse(registers, to, 0, EMPTY_BYTES)).toBe(EMPTY_BYTES)
    registers[3] = 33
    expect(writeSparse(registers, to, 0, SPARSE_MAX_BYTES)).toBe(NEEDS_DENSE)
  })

  it('never leaves its bytes, whatever they are, and says when they are broken', () => {
    const random = new SeededRandom(3)
    let broken = 0
    for (let round = 0; round < 3000; round++) {
      const sketch = new Sketch()
      for (let i = 0; i < 20; i++) sketch.raise(random.below(REGISTERS), 1 + random.below(20))
      for (let i = 1 + random.below(3); i > 0; i--) {
        sketch.buf[sketch.off + HEADER_BYTES + random.below(sketch.len - HEADER_BYTES)] = random.below(256)
      }
      if (random.below(3) === 0) sketch.len -= 1 + random.below(3)
      const { buf, off, len } = sketch
      buf.fill(MARK, off + len)
      const whole = isWhole(buf, off, len)
      if (!whole) broken++
      const registers = new Uint8Array(REGISTERS)
      expect(mergeSparse(registers, buf, off, len)).toBe(whole)
      expect(Number.isNaN(countSparse(buf, off, len))).toBe(!whole)
      expect(sparseToDense(buf, off, len, new Uint8Array(DENSE_BYTES), 0)).toBe(whole)
      expect(describeRuns(buf, off, len)).toMatch(/^([zZ]:\d+|v:\d+,\d)( |$)/)
      const length = raiseSparse(buf, off, len, random.below(REGISTERS), 30, SPARSE_MAX_BYTES)
      expect(length === BROKEN || (length > 0 && length <= len + ADD_BYTES)).toBe(true)
      if (whole) expect(length).not.toBe(BROKEN)
      expect(buf.subarray(off + len + ADD_BYTES).every((byte) => byte === MARK)).toBe(true)
    }
    expect(broken).toBeGreaterThan(1000)
  })

  it('describes its runs', () => {
    const sketch = new Sketch()
    sketch.raise(100, 3)
    sketch.raise(101, 3)
    sketch.raise(110, 1)
    expect(describeRuns(sketch.buf, sketch.off, sketch.len)).toBe('Z:100 v:3,2 z:8 v:1,1 Z:16273')
  })

  it('estimates within the error that 16,384 registers have', () => {
    const sketch = new Sketch()
    const element = new Uint8Array(8)
    const view = new DataView(element.buffer)
    let check = 1
    for (let i = 1; i <= 100_000; i++) {
      view.setUint32(0, i, true)
      sketch.add(element)
      if (i !== check) continue
      expect(Math.abs(sketch.count - i)).toBeLessThanOrEqual(Math.ceil((1.04 / 128) * 6 * i))
      check *= 10
    }
    expect(isDense(sketch.buf, sketch.off)).toBe(true)
  })

  it('gives an estimate, if a silly one, when all registers are at their highest', () => {
    for (const rank of [51, 63]) expect(countRegisters(new Uint8Array(REGISTERS).fill(rank))).toBeGreaterThan(1e15)
  })
})

describeWithRedisServer('a HyperLogLog here and in redis-server', (suite) => {
  beforeEach(async () => {
    await suite.redis.flushall()
  })

  for (const [name, many, atOnce] of [
    ['of one element at a time', 400, 1],
    ['that stays sparse', 900, 30],
    ['that becomes dense', 3000, 60],
    ['of many elements', 60_000, 3000],
  ] as const) {
    it(`${name} has the same bytes and the same count`, async () => {
      const { redis } = suite
      const random = new SeededRandom(many)
      const sketch = new Sketch()
      for (let i = 0; i < many; i += atOnce) {
        const elements = Array.from({ length: atOnce }, () => {
          return Buffer.from(Array.from({ length: random.below(20) }, () => random.below(256)))
        })
        const changed = elements.map((element) => sketch.add(element)).includes(true)
        const theirs = await redis.callBuffer('PFADD', 'k', ...elements)
        expect(theirs).toBe(changed || i === 0 ? 1 : 0)
        if (i === 0) forgetCount(sketch.buf, sketch.off)
        if (i % (atOnce * 10) !== 0 && i + atOnce < many) continue
        const there = (await redis.getBuffer('k')) as Buffer
        if (Number.isNaN(rememberedCount(there, 0))) expect(Buffer.compare(there, sketch.bytes)).toBe(0)
        const count = sketch.count
        expect(await redis.pfcount('k')).toBe(count)
        rememberCount(sketch.buf, sketch.off, count)
        expect(Buffer.compare((await redis.getBuffer('k')) as Buffer, sketch.bytes)).toBe(0)
        await redis.set('ours', sketch.bytes)
        forgetCount(sketch.buf, sketch.off)
        await redis.set('ours', sketch.bytes)
        expect(await redis.pfcount('ours')).toBe(count)
      }
      sketch.checkMargins()
    })
  }

  it('merges to the same count, also from registers that no hash gives', async () => {
    const { redis } = suite
    const random = new SeededRandom(9)
    const registers = new Uint8Array(REGISTERS)
    for (let i = 0; i < 3; i++) {
      const own = Uint8Array.from({ length: REGISTERS }, () => (random.below(3) === 0 ? random.below(60) : 0))
      const dense = new Uint8Array(DENSE_BYTES)
      writeDense(own, dense, 0)
      await redis.set(`k${i}`, Buffer.from(dense))
      mergeDense(registers, dense, 0)
    }
    expect(await redis.pfcount('k0', 'k1', 'k2')).toBe(countRegisters(registers))
    await redis.pfmerge('all', 'k0', 'k1', 'k2')
    const merged = new Uint8Array(DENSE_BYTES)
    writeDense(registers, merged, 0)
    expect(Buffer.compare((await redis.getBuffer('all')) as Buffer, merged)).toBe(0)
  })

  it('that redis-server merges into a new key is written in the same runs', async () => {
    const { redis } = suite
    const elements = Array.from({ length: 700 }, (_, i) => `element ${i}`)
    await redis.pfadd('k', ...elements)
    await redis.pfmerge('merged', 'k')
    const registers = new Uint8Array(REGISTERS)
    const there = (await redis.getBuffer('k')) as Buffer
    expect(mergeSparse(registers, there, 0, there.length)).toBe(true)
    const to = new Uint8Array(SPARSE_MAX_BYTES)
    const length = writeSparse(registers, to, 0, SPARSE_MAX_BYTES)
    expect(Buffer.compare((await redis.getBuffer('merged')) as Buffer, to.subarray(0, length))).toBe(0)
  })
})
