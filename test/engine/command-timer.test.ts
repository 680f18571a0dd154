import { describe, expect, it } from 'vitest'
import { Command } from '../../src/commands/command-table.js'
import type { CommandSpec } from '../../src/commands/command-spec.js'
import { CommandTimer } from '../../src/engine/command-timer.js'
import { ManualClock } from '../support/engine-harness.js'

function command(name: string, flags: CommandSpec['flags']): Command {
  const spec: CommandSpec = {
    name,
    arity: 2,
    flags,
    keys: [],
    group: 'string',
    categories: [],
    since: '1.0.0',
    summary: '',
    complexity: '',
    arguments: [],
  }
  return new Command(spec, name)
}

const fast = command('incr', ['fast'])
const otherFast = command('get', ['fast'])
const slow = command('sort', [])

/** Runs commands of a millisecond each in one batch and gives what was counted: alone as [name, ms], together as [name, ms, commands]. */
function timed(commands: readonly Command[], argc = 2, replyBytes = 10, mayShare = true): unknown[] {
  let nowMs = 1000
  const clock = Object.assign(new ManualClock(), { monotonicMs: () => nowMs })
  const counted: unknown[] = []
  const timer = new CommandTimer(clock, ({ fullName }, count, microseconds) =>
    counted.push([fullName, Math.round(microseconds / 1000), count]),
  )
  timer.mayShare = mayShare
  timer.begin()
  for (const each of commands) {
    timer.next(each)
    nowMs += 1
    if (!timer.takes(each, argc, replyBytes)) counted.push([each.fullName, Math.round(timer.lap() / 1000)])
  }
  timer.settle()
  // Not the time of any command.
  nowMs += 100
  timer.begin()
  timer.settle()
  return counted
}

describe('the time of commands', () => {
  it('is counted for each by itself where they differ', () => {
    expect(timed([fast, otherFast, fast, slow])).toEqual([
      ['incr', 1],
      ['get', 1],
      ['incr', 1],
      ['sort', 1],
    ])
  })

  it('is shared by fast ones of one kind behind the first', () => {
    expect(timed(Array.from({ length: 19 }, () => fast))).toEqual([
      ['incr', 1],
      ['incr', 16, 16],
      ['incr', 2, 2],
    ])
    expect(timed([fast, fast, fast, otherFast])).toEqual([
      ['incr', 1],
      ['incr', 2, 2],
      ['get', 1],
    ])
  })

  it('is not shared by what may take long', () => {
    const alone = [
      ['incr', 1],
      ['incr', 1],
      ['incr', 1],
    ]
    expect(timed([fast, fast, fast], 6)).toEqual(alone)
    expect(timed([fast, fast, fast], 2, 2000)).toEqual(alone)
    expect(timed([fast, fast, fast], 2, 10, false)).toEqual(alone)
    expect(timed([slow, slow])).toEqual([
      ['sort', 1],
      ['sort', 1],
    ])
  })

  it('goes to a long one whole, when short ones of its kind came right before it', () => {
    let nowMs = 0
    const counted: unknown[] = []
    const clock = Object.assign(new ManualClock(), { monotonicMs: () => nowMs })
    const timer = new CommandTimer(clock, (_, count, microseconds) => counted.push([count, microseconds]))
    timer.begin()
    for (const replyBytes of [10, 10, 5000]) {
      timer.next(fast)
      nowMs += 1
      if (!timer.takes(fast, 2, replyBytes)) counted.push(timer.lap())
    }
    expect(counted).toEqual([1000, [1, 0], 2000])
  })

  it('goes on for commands that nobody times, one reading whenever it is asked for and there was none', () => {
    let readings = 0
    const clock = Object.assign(new ManualClock(), { monotonicMs: () => ++readings })
    const timer = new CommandTimer(clock, () => undefined)
    timer.begin()
    expect(readings).toBe(1)
    timer.readIfUnread()
    expect(readings).toBe(1)
    timer.readIfUnread()
    expect(readings).toBe(2)
    expect(timer.lastMs).toBe(2)
    timer.next(fast)
    if (!timer.takes(fast, 2, 10)) timer.lap()
    timer.readIfUnread()
    expect(readings).toBe(3)
  })
})
