import type { SeededRandom } from './random.js'

/** A time in a command that depends on the member's clock when it runs: `@+250` becomes wallMs + 250, `@s+2` whole seconds. */
export function resolveTimes(args: readonly string[], wallMs: number): string[] {
  return args.map((arg) => {
    if (arg.startsWith('@s')) return String(Math.floor(wallMs / 1000) + Number(arg.slice(2)))
    return arg.startsWith('@') ? String(wallMs + Number(arg.slice(1))) : arg
  })
}

/** One turn of one client: its commands arrive together. */
export interface Step {
  readonly delayMs: number
  /** Chooses the member: modulo the number of members. */
  readonly memberDraw: number
  readonly db: number
  readonly transaction: boolean
  readonly commands: readonly (readonly string[])[]
}

/** How often each family is drawn, how many keys there are, and what is done to the members meanwhile. */
export interface Profile {
  readonly keys: number
  readonly databases: number
  readonly weights: Readonly<Record<Family, number>>
  readonly meanDelayMs: number
  readonly faultRate: number
}

type Family = 'register' | 'counter' | 'float' | 'edit' | 'expiry' | 'remove' | 'move' | 'read' | 'flush'

const none: Record<Family, number> = {
  register: 0,
  counter: 0,
  float: 0,
  edit: 0,
  expiry: 0,
  remove: 0,
  move: 0,
  read: 2,
  flush: 0,
}

export const PROFILES: Readonly<Record<string, Profile>> = {
  mix: {
    keys: 5,
    databases: 2,
    weights: { register: 5, counter: 4, float: 2, edit: 4, expiry: 4, remove: 2, move: 2, read: 4, flush: 0.15 },
    meanDelayMs: 8,
    faultRate: 0.05,
  },
  counters: {
    keys: 2,
    databases: 1,
    weights: { ...none, counter: 8, float: 2, register: 1, remove: 1 },
    meanDelayMs: 4,
    faultRate: 0.05,
  },
  registers: { keys: 3, databases: 1, weights: { ...none, register: 6, remove: 1, move: 0.5 }, meanDelayMs: 4, faultRate: 0.05 },
  edits: {
    keys: 3,
    databases: 1,
    weights: { ...none, edit: 8, register: 1, remove: 0.5, counter: 0.5 },
    meanDelayMs: 5,
    faultRate: 0.05,
  },
  expiry: {
    keys: 3,
    databases: 1,
    weights: { ...none, expiry: 6, register: 3, counter: 2, edit: 2, remove: 1, read: 4 },
    meanDelayMs: 12,
    faultRate: 0.04,
  },
  keys: {
    keys: 4,
    databases: 3,
    weights: { ...none, register: 3, counter: 2, move: 4, remove: 2, flush: 0.5 },
    meanDelayMs: 6,
    faultRate: 0.04,
  },
  calm: {
    keys: 4,
    databases: 2,
    weights: { register: 5, counter: 4, float: 2, edit: 4, expiry: 3, remove: 2, move: 2, read: 4, flush: 0.1 },
    meanDelayMs: 3,
    faultRate: 0,
  },
  storm: {
    keys: 3,
    databases: 1,
    weights: { ...none, register: 3, counter: 3, edit: 2, remove: 1 },
    meanDelayMs: 20,
    faultRate: 0.2,
  },
}

const VALUES = [
  'a',
  'bb',
  'text',
  '',
  '0',
  '1',
  '10',
  '-7',
  '2.5',
  '41',
  'x\r\ny',
  '\xff\x00\x80',
  'longer value that does not fit anywhere small',
]
const DELTAS = ['1', '2', '3', '-1', '-5', '10', '100', '0', '4503599627370497']
const FLOATS = ['0.1', '0.2', '1.5', '-0.3', '2', '10.25', '-1']

/** Draws the commands of a seed. Nothing here depends on replies or faults. */
export class Workload {
  constructor(
    private readonly random: SeededRandom,
    private readonly profile: Profile,
  ) {}

  next(): Step {
    const { random, profile } = this
    const together = random.chance(0.15) ? random.between(2, 5) : 1
    const transaction = together > 1 && random.chance(0.6)
    const commands: string[][] = []
    for (let i = 0; i < together; i++) commands.push(this.command())
    return {
      // Some at the same instant, so that members race.
      delayMs: random.chance(0.3) ? 0 : random.exponential(profile.meanDelayMs),
      memberDraw: random.uint32(),
      db: random.below(profile.databases),
      transaction,
      commands,
    }
  }

  private key(): string {
    return `k${this.random.below(this.profile.keys)}`
  }

  private value(): string {
    return this.random.pick(VALUES)
  }

  private command(): string[] {
    const { random } = this
    const families = Object.keys(this.profile.weights) as Family[]
    switch (families[random.weighted(families.map((family) => this.profile.weights[family]))]) {
      case 'register':
        return this.register()
      case 'counter':
        return random.pick([
          () => ['INCR', this.key()],
          () => ['DECR', this.key()],
          () => ['INCRBY', this.key(), random.pick(DELTAS)],
          () => ['DECRBY', this.key(), random.pick(DELTAS)],
        ])()
      case 'float':
        return ['INCRBYFLOAT', this.key(), random.pick(FLOATS)]
      case 'edit':
        return this.edit()
      case 'expiry':
        return this.expiry()
      case 'remove':
        return random.pick([
          () => ['DEL', this.key()],
          () => ['DEL', this.key(), this.key()],
          () => ['UNLINK', this.key()],
          () => ['GETDEL', this.key()],
        ])()
      case 'move':
        return this.move()
      case 'flush':
        return ['FLUSHDB']
      case 'read':
      default:
        return this.read()
    }
  }

  private register(): string[] {
    const { random } = this
    return random.pick([
      () => ['SET', this.key(), this.value()],
      () => ['SET', this.key(), this.value()],
      () => ['SET', this.key(), this.value(), random.pick(['NX', 'XX'])],
      () => ['SET', this.key(), this.value(), 'GET'],
      () => ['SET', this.key(), this.value(), 'KEEPTTL'],
      () => ['SETNX', this.key(), this.value()],
      () => ['GETSET', this.key(), this.value()],
      () => ['MSET', this.key(), this.value(), this.key(), this.value()],
      () => ['MSETNX', this.key(), this.value(), this.key(), this.value()],
    ])()
  }

  private edit(): string[] {
    const { random } = this
    const type = `${random.pick(['u', 'i'])}${random.pick([1, 3, 8, 13])}`
    return random.pick([
      () => ['APPEND', this.key(), this.value()],
      () => ['APPEND', this.key(), random.pick(['1', '2', 'z'])],
      () => ['SETRANGE', this.key(), String(random.below(12)), this.value()],
      () => ['SETBIT', this.key(), String(random.below(40)), random.pick(['0', '1'])],
      () => ['BITFIELD', this.key(), 'SET', type, String(random.below(24)), String(random.below(2))],
      () => ['BITFIELD', this.key(), 'INCRBY', type, `#${random.below(3)}`, random.pick(['1', '-1', '5'])],
      () => ['BITFIELD', this.key(), 'GET', type, '2', 'SET', type, '#1', '1', 'INCRBY', type, '3', '1'],
    ])()
  }

  private expiry(): string[] {
    const { random } = this
    const soon = (): string => String(random.pick([1, 20, 60, 150, 400, 3000, 100_000]))
    return random.pick([
      () => ['SET', this.key(), this.value(), 'PX', soon()],
      () => ['SET', this.key(), this.value(), 'PXAT', `@+${soon()}`],
      () => ['SET', this.key(), this.value(), 'EX', '1', random.pick(['NX', 'XX'])],
      () => ['PEXPIRE', this.key(), soon()],
      () => ['PEXPIRE', this.key(), soon(), random.pick(['NX', 'XX', 'GT', 'LT'])],
      () => ['PEXPIREAT', this.key(), `@+${soon()}`, random.pick(['NX', 'XX', 'GT', 'LT'])],
      () => ['EXPIRE', this.key(), random.pick(['0', '1', '10', '-1'])],
      () => ['PERSIST', this.key()],
      () => ['GETEX', this.key(), 'PX', soon()],
      () => ['GETEX', this.key(), random.pick(['PERSIST', 'PERSIST'])],
      () => ['GETEX', this.key(), 'EXAT', '@s+1'],
    ])()
  }

  private move(): string[] {
    const { random } = this
    return random.pick([
      () => ['RENAME', this.key(), this.key()],
      () => ['RENAMENX', this.key(), this.key()],
      () => ['COPY', this.key(), this.key()],
      () => ['COPY', this.key(), this.key(), 'REPLACE'],
      () => ['COPY', this.key(), this.key(), 'DB', String(random.below(this.profile.databases)), 'REPLACE'],
    ])()
  }

  private read(): string[] {
    const { random } = this
    return random.pick([
      () => ['GET', this.key()],
      () => ['GET', this.key()],
      () => ['MGET', this.key(), this.key()],
      () => ['STRLEN', this.key()],
      () => ['EXISTS', this.key(), this.key()],
      () => ['TYPE', this.key()],
      () => ['PTTL', this.key()],
      () => ['PEXPIRETIME', this.key()],
      () => ['GETRANGE', this.key(), '0', '3'],
      () => ['GETBIT', this.key(), '7'],
      () => ['GETEX', this.key()],
    ])()
  }
}
