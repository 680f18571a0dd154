import type { SeededRandom } from '../../differential/seeded-random.js'

type Args = readonly string[]

export const FAMILIES = ['string', 'counter', 'hash', 'set', 'zset', 'list', 'stream', 'hll', 'message'] as const
export type Family = (typeof FAMILIES)[number]

/**
 * Commands on few keys, so that members come upon each other's writes: most on keys of one family, some on keys that members use for all of them, which
 * leaves them with several types.
 */
export class RandomCommands {
  private serial = 0

  constructor(
    private readonly random: SeededRandom,
    /** Unix ms. */
    private readonly now: () => number,
    private readonly families: readonly Family[] = FAMILIES,
  ) {}

  next(): Args {
    const { random } = this
    const family = random.pick(this.families)
    const key = random.chance(0.15) ? random.pick(['any1', 'any2']) : `${family}${random.below(3)}`
    const roll = random.below(40)
    if (roll === 0) return ['DEL', key]
    if (roll === 1) return ['PEXPIRE', key, `${random.pick([50, 20_000, 900_000])}`]
    if (roll === 2) return ['PERSIST', key]
    if (roll === 3) return ['RENAME', key, `${family}${random.below(3)}`]
    if (roll === 4) return ['COPY', key, `${family}${random.below(3)}`, 'REPLACE']
    if (roll === 5 && random.chance(0.2)) return ['FLUSHDB']
    return this.of(family, key)
  }

  private of(family: Family, key: string): Args {
    switch (family) {
      case 'string':
        return this.string(key)
      case 'counter':
        return this.counter(key)
      case 'hash':
        return this.hash(key)
      case 'set':
        return this.set(key)
      case 'zset':
        return this.zset(key)
      case 'list':
        return this.list(key)
      case 'stream':
        return this.stream(key)
      case 'hll':
        return this.hll(key)
      case 'message':
        return this.message(key)
    }
  }

  private string(key: string): Args {
    const { random } = this
    switch (random.below(8)) {
      case 0:
        return ['SET', key, this.text(), 'PX', `${random.pick([80, 50_000])}`]
      case 1:
        return ['SET', key, this.text(), 'KEEPTTL']
      case 2:
        return ['APPEND', key, this.text()]
      case 3:
        return ['SETRANGE', key, `${random.below(20)}`, this.text()]
      case 4:
        return ['SETBIT', key, `${random.below(200)}`, `${random.below(2)}`]
      case 5:
        return ['GETDEL', key]
      default:
        return ['SET', key, this.text()]
    }
  }

  private counter(key: string): Args {
    const { random } = this
    switch (random.below(6)) {
      case 0:
        return ['SET', key, `${random.below(1000)}`]
      case 1:
        return ['INCRBYFLOAT', key, random.pick(['0.1', '-2.75', '1e3'])]
      case 2:
        return ['INCRBY', key, '9007199254740000']
      case 3:
        return ['DECR', key]
      default:
        return ['INCRBY', key, `${random.between(-50, 50)}`]
    }
  }

  private hash(key: string): Args {
    const { random } = this
    const field = () => `f${random.below(6)}`
    switch (random.below(10)) {
      case 0:
        return ['HDEL', key, field(), field()]
      case 1:
        return ['HINCRBY', key, `n${random.below(3)}`, `${random.between(-9, 9)}`]
      case 2:
        return ['HINCRBYFLOAT', key, `n${random.below(3)}`, '0.3']
      case 3:
        return ['HPEXPIRE', key, `${random.pick([60, 30_000])}`, 'FIELDS', '2', field(), field()]
      case 4:
        return ['HPERSIST', key, 'FIELDS', '1', field()]
      case 5:
        return ['HSET', key, `n${random.below(3)}`, `${random.below(100)}`]
      case 6:
        return ['HSET', key, ...this.many((i) => [`many${i}`, this.text()])]
      case 7:
        return ['HDEL', key, ...this.many((i) => [`many${i}`])]
      default:
        return ['HSET', key, field(), this.text(), field(), this.text()]
    }
  }

  private set(key: string): Args {
    const { random } = this
    const member = () => `${random.below(8)}`
    switch (random.below(6)) {
      case 0:
        return ['SREM', key, member(), member()]
      case 1:
        return ['SPOP', key]
      case 2:
        return ['SADD', key, ...this.many((i) => [`many${i}`])]
      case 3:
        return ['SREM', key, ...this.many((i) => [`many${i}`])]
      default:
        return ['SADD', key, member(), member()]
    }
  }

  private zset(key: string): Args {
    const { random } = this
    const member = () => `m${random.below(8)}`
    const score = () => random.pick(['1', '-2.5', '0', '-0', 'inf', `${random.below(100)}`])
    switch (random.below(8)) {
      case 0:
        return ['ZREM', key, member(), member()]
      case 1:
        return ['ZPOPMIN', key]
      case 2:
        return ['ZADD', key, ...this.many((i) => [`${i * 3}`, `many${i}`])]
      case 3:
        return ['ZREM', key, ...this.many((i) => [`many${i}`])]
      case 4:
      case 5:
        return ['ZINCRBY', key, `${random.between(-5, 5)}.25`, member()]
      default:
        return ['ZADD', key, score(), member(), score(), member()]
    }
  }

  private list(key: string): Args {
    const { random } = this
    switch (random.below(12)) {
      case 0:
        return ['LPOP', key]
      case 1:
        return ['RPOP', key, '2']
      case 2:
      case 3:
        return ['LSET', key, `${random.below(4)}`, this.text()]
      case 4:
        return ['LTRIM', key, '1', '-2']
      case 5:
        return ['LINSERT', key, random.pick(['BEFORE', 'AFTER']), 'pivot', this.text()]
      case 6:
        return ['RPUSH', key, 'pivot', this.text(), 'pivot']
      case 7:
        return ['LREM', key, '1', 'pivot']
      case 8:
        return ['LPUSH', key, ...this.many((i) => [`many${i}`])]
      case 9:
        return ['LSET', key, '-1', 'long '.repeat(150)]
      case 10:
        return ['LPUSH', key, this.text(), this.text()]
      default:
        return ['RPUSH', key, this.text()]
    }
  }

  private stream(key: string): Args {
    const { random } = this
    const group = random.pick(['g', 'h'])
    const consumer = random.pick(['c', 'd'])
    switch (random.below(14)) {
      case 0:
        return ['XGROUP', 'CREATE', key, group, random.pick(['0', '$']), 'MKSTREAM']
      case 1:
        return random.chance(0.3) ? ['XGROUP', 'DESTROY', key, group] : ['XGROUP', 'SETID', key, group, random.pick(['0', '$'])]
      case 2:
      case 3:
        return ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', `${random.between(1, 4)}`, 'STREAMS', key, '>']
      case 4:
        return ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', '2', 'NOACK', 'STREAMS', key, '>']
      case 5:
        return random.chance(0.5) ? ['NACK', key, group] : ['XAUTOCLAIM', key, group, consumer, '0', '0', 'COUNT', '2']
      case 6:
        return ['XTRIM', key, 'MAXLEN', `${random.between(1, 8)}`]
      case 7:
        return random.chance(0.5)
          ? ['XGROUP', 'DELCONSUMER', key, group, consumer]
          : ['XGROUP', 'CREATECONSUMER', key, group, consumer]
      case 8:
        return ['XSETID', key, `${this.now() + 5}-0`]
      case 9:
        return ['ACK', key, group]
      case 10:
        return ['XDEL', key, random.pick(['FIRST', 'LAST'])]
      default:
        return ['XADD', key, '*', 'a', this.text(), ...(random.chance(0.3) ? ['b', this.text()] : [])]
    }
  }

  /** Streams with messages that come again. */
  private message(key: string): Args {
    const { random } = this
    const roll = random.below(10)
    if (roll < 4) return ['XADD', key, 'IDMP', random.pick(['p', 'q']), `${random.below(6)}`, '*', 'f', this.text()]
    if (roll === 4) return ['XCFGSET', key, 'IDMP-DURATION', `${random.between(1, 3)}`]
    if (roll === 5) return ['XCFGSET', key, 'IDMP-MAXSIZE', `${random.between(1, 4)}`]
    return this.stream(key)
  }

  private hll(key: string): Args {
    const { random } = this
    switch (random.below(6)) {
      case 0:
        return ['PFMERGE', key, `hll${random.below(3)}`]
      case 1:
        return ['PFADD', key, ...this.many((i) => [`many${i}`])]
      case 2:
        return ['DEL', key]
      default:
        return ['PFADD', key, this.text(), this.text()]
    }
  }

  private text(): string {
    this.serial++
    return this.random.pick(['x', 'a longer text ', '7']) + String(this.serial)
  }

  /** Enough that a collection does not stay packed. */
  private many(make: (i: number) => string[]): string[] {
    const { random } = this
    const from = random.below(100)
    return Array.from({ length: random.pick([5, 40, 150]) }, (_, i) => make(from + i)).flat()
  }
}
