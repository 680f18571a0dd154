import { expect } from 'vitest'
import { parseNotificationClasses } from '../../src/base/notification-classes.js'
import { EngineHarness } from './engine-harness.js'
import { ReceivingSession, TickingClock } from './ticking-clock.js'

/** Elements, or keys, of what goes in slices. */
export const COUNT = 400
/** Below the bound at which commands go in slices: so many elements a command. */
export const BATCH = 20
export const SLICING = {
  readElements: 50,
  writeElements: 50,
  frameBytes: 1000,
  turnSteps: 1,
  stepBytes: 0,
  transactionCommands: Infinity,
}

export const numbers = Array.from({ length: COUNT }, (_, n) => n)

/** An engine in which commands of few elements go in slices already, a step a turn, and a client that waits for their replies. */
export class SlicedEngine {
  readonly clock = new TickingClock()
  readonly h: EngineHarness
  readonly client = new ReceivingSession(100)
  readonly other = new ReceivingSession(101)

  /** transactionCommands: EXEC of more goes in slices from its beginning; Infinity: none does, whatever its commands are. */
  constructor(
    private readonly solo: boolean,
    transactionCommands = Infinity,
  ) {
    this.h = new EngineHarness({ solo, slicing: { ...SLICING, transactionCommands } }, this.clock)
  }

  write(command: string, key: string, elements: readonly string[][]): void {
    writeElements(this.h, command, key, elements)
  }

  /** Starts a command and says that it has not replied. */
  ask(...args: string[]): void {
    expect(this.h.raw(args, this.client)).toBe('')
    expect(this.client.blocked?.isRunning).toBe(true)
  }

  /** Lets turns pass until the reply is there; gives their number. */
  turns(between: () => void = () => undefined, most = 100_000): number {
    for (let turn = 1; turn <= most; turn++) {
      this.clock.turn()
      if (this.client.blocked === null) return turn
      between()
    }
    return most
  }

  /**
   * Runs a command in slices and says that it does what it does in one go: the reply, events, data and when these keys expire; and that it is one op, which does the
   * same in another member. That one.
   */
  runAsInOneGo(args: string[], protocol: 2 | 3, keys: readonly string[]): EngineHarness {
    const { h, client, clock, solo } = this
    client.protocol = protocol
    const other = new EngineHarness({ solo, self: 2 }, clock)
    other.receive(h)
    const heard = [h, other].map((each) => {
      const listener = new ReceivingSession(300)
      each.engine.notifications.classes = parseNotificationClasses('KEA') ?? 0
      each.raw(['PSUBSCRIBE', '__key*'], listener)
      listener.received = ''
      return listener
    })
    this.ask(...args)
    expect(this.turns()).toBeGreaterThan(2)
    const last = h.log.frames.length
    expect(client.received).toBe(inOneGo(other, args, protocol))
    expect(digestOf(h)).toEqual(digestOf(other))
    expect(heard[0].received).toBe(heard[1].received)
    for (const key of keys) expect(h.run('PTTL', key)).toBe(other.run('PTTL', key))
    const third = new EngineHarness({ solo, self: 3 }, clock)
    third.receive(h)
    expect(h.log.frames[last - 1].opCount).toBe(1)
    expect(digestOf(third)).toEqual(digestOf(h))
    return third
  }

  queue(commands: readonly string[][], session = this.client): void {
    expect(this.h.raw(['MULTI'], session)).toBe('+OK\r\n')
    for (const args of commands) expect(this.h.raw(args, session)).toBe('+QUEUED\r\n')
  }

  /** Sends a transaction and says that it has not replied. */
  askExec(commands: readonly string[][], session = this.client): void {
    this.queue(commands, session)
    expect(this.h.raw(['EXEC'], session)).toBe('')
    expect(session.blocked?.isRunning).toBe(true)
  }

  /** As turns, for any session, which must get its reply. */
  finish(between: () => void = () => undefined, session = this.client): number {
    for (let turn = 1; ; turn++) {
      this.clock.turn()
      if (session.blocked === null) return turn
      expect(turn).toBeLessThan(10_000)
      between()
    }
  }
}

/** Writes elements of some arguments each, none of it in slices. */
export function writeElements(harness: EngineHarness, command: string, key: string, elements: readonly string[][]): void {
  for (let from = 0; from < elements.length; from += BATCH)
    harness.run(command, key, ...elements.slice(from, from + BATCH).flat())
}

/** What a command replies in one go. */
export function inOneGo(harness: EngineHarness, args: string[], protocol: 2 | 3 = 2): string {
  const session = harness.newSession()
  session.protocol = protocol
  harness.raw(['MULTI'], session)
  harness.raw(args, session)
  return harness.raw(['EXEC'], session).slice('*1\r\n'.length)
}

/** What an engine holds, to compare with what another one holds. */
export function digestOf(harness: EngineHarness): string {
  const session = new ReceivingSession(999)
  for (const name of ['MULTI', 'CRDT.DIGEST']) harness.raw([name], session)
  let reply = harness.raw(['EXEC'], session)
  if (session.blocked !== null) {
    harness.engine.longWrites.finish()
    reply = session.received
  }
  const [, digest] = /\bdigest\r\n\$16\r\n([0-9a-f]{16})\r\n/.exec(reply) ?? []
  expect(digest, reply).toBeDefined()
  return digest
}
