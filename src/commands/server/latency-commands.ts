import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import type { Command } from '../command-table.js'
import { helpSubcommand } from '../help.js'
import type { LatencyEvent } from '../services.js'

const COMMON = {
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
  since: '2.8.13',
  tips: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
} as const

/** LATENCY: see engine/latency-monitor for the events, latency-histogram for the times of commands. */
export const LATENCY_COMMAND: CommandSpec = {
  name: 'latency',
  arity: -2,
  flags: [],
  group: 'server',
  since: '2.8.13',
  summary: 'Commands about what took long.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    { ...COMMON, name: 'doctor', arity: 2, summary: 'Says what stopped the server.', complexity: 'O(1)', handler: doctor },
    {
      ...COMMON,
      name: 'graph',
      arity: 3,
      summary: "A picture of an event's samples.",
      complexity: 'O(1)',
      arguments: [{ name: 'event', type: 'string' }],
      handler: graph,
    },
    {
      ...COMMON,
      name: 'histogram',
      arity: -2,
      since: '7.0.0',
      summary: 'How often commands took how long.',
      complexity: 'O(N), N being the number of commands',
      arguments: [{ name: 'command', type: 'string', flags: ['optional', 'multiple'] }],
      handler: histogram,
    },
    {
      ...COMMON,
      name: 'history',
      arity: 3,
      summary: 'Times and lengths of an event.',
      complexity: 'O(1)',
      arguments: [{ name: 'event', type: 'string' }],
      handler: history,
    },
    { ...COMMON, name: 'latest', arity: 2, summary: 'The latest sample of each event.', complexity: 'O(1)', handler: latest },
    {
      ...COMMON,
      name: 'reset',
      arity: -2,
      summary: 'Forgets events.',
      complexity: 'O(1)',
      tips: ['request_policy:all_nodes', 'response_policy:agg_sum'],
      arguments: [{ name: 'event', type: 'string', flags: ['optional', 'multiple'] }],
      handler: reset,
    },
    helpSubcommand('2.8.13', [
      'DOCTOR',
      '    What stopped the server, in words.',
      'GRAPH <event>',
      "    A picture of an event's samples.",
      'HISTOGRAM [COMMAND ...]',
      '    How often commands took how long: microseconds, and the calls that took no longer.',
      'HISTORY <event>',
      '    Unix times and milliseconds of an event.',
      'LATEST',
      '    The latest sample of each event: name, Unix time, milliseconds, most milliseconds ever.',
      'RESET [<event> ...]',
      '    Forget these events, or all.',
    ]),
  ],
}

function eventNamed(call: Call, name: string): LatencyEvent | undefined {
  return call.engine.latency.events().find((event) => event.name === name)
}

function latest({ reply, engine }: Call): void {
  const events = engine.latency.events()
  reply.array(events.length)
  for (const { name, samples, maxMs } of events) {
    const last = samples[samples.length - 1]
    reply.array(4)
    reply.bulkString(name)
    reply.integer(last.unixSeconds)
    reply.integer(last.ms)
    reply.integer(maxMs)
  }
}

function history(call: Call): void {
  const samples = eventNamed(call, call.text(2))?.samples ?? []
  call.reply.array(samples.length)
  for (const { unixSeconds, ms } of samples) {
    call.reply.array(2)
    call.reply.integer(unixSeconds)
    call.reply.integer(ms)
  }
}

function reset(call: Call): void {
  const { latency } = call.engine
  const names = call.argc === 2 ? latency.events().map((event) => event.name) : textsFrom(call, 2)
  let count = 0
  for (const name of names) if (latency.reset(name)) count++
  call.reply.integer(count)
}

function histogram(call: Call): void {
  const { table } = call.services
  const wanted = call.argc === 2 ? [...table.all()] : textsFrom(call, 2).map((name) => table.find(name.toLowerCase()))
  const shown: Command[] = []
  for (const command of wanted) {
    if (command === undefined) continue
    for (const one of [command, ...command.subcommands.values()]) if (one.latency.calls > 0) shown.push(one)
  }
  const { reply } = call
  reply.map(shown.length)
  for (const { fullName, latency } of shown) {
    reply.bulkString(fullName)
    reply.map(2)
    reply.bulkString('calls')
    reply.integer(latency.calls)
    reply.bulkString('histogram_usec')
    const rows = latency.cumulative()
    reply.map(rows.length)
    for (const [microseconds, upTo] of rows) {
      reply.integer(microseconds)
      reply.integer(upTo)
    }
  }
}

const GRAPH_ROWS = 4
const GRAPH_WIDTH = 80

/** Columns from the oldest of the last samples to the newest, below each how long ago it was. */
function graph(call: Call): void {
  const event = eventNamed(call, call.text(2))
  if (event === undefined) throw new CommandError(`ERR No samples available for event '${call.text(2)}'`)
  const shown = event.samples.slice(-GRAPH_WIDTH)
  const high = Math.max(...shown.map(({ ms }) => ms))
  const low = Math.min(...shown.map(({ ms }) => ms))
  const heights = shown.map(({ ms }) => (high === low ? 1 : 1 + Math.round(((ms - low) / (high - low)) * (GRAPH_ROWS - 1))))
  const ages = shown.map(({ unixSeconds }) => ageText(Math.floor(call.nowMs / 1000) - unixSeconds))
  const lines = [`${event.name} - high ${high} ms, low ${low} ms (all time high ${event.maxMs} ms)`, '-'.repeat(GRAPH_WIDTH)]
  for (let row = GRAPH_ROWS; row >= 1; row--) lines.push(heights.map((height) => (height >= row ? '#' : ' ')).join(''))
  lines.push('')
  for (let i = 0; i < Math.max(...ages.map((age) => age.length)); i++) lines.push(ages.map((age) => age[i] ?? ' ').join(''))
  call.reply.verbatim('txt', `${lines.join('\n')}\n`)
}

function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}

const ADVICE: Readonly<Record<string, string>> = {
  command: 'Commands whose time grows with their data: SLOWLOG GET shows which. Ask for less at once (SCAN and its kin, ranges).',
  'fast-command': 'Commands that take no time themselves: the machine is busy with something else, or it swaps.',
  'expire-cycle': 'Many keys were due at once: spread their times.',
}

function doctor(call: Call): void {
  const { latency } = call.engine
  const events = latency.events()
  let text: string
  if (latency.thresholdMs === 0) {
    text = 'Nothing is watched: CONFIG SET latency-monitor-threshold <milliseconds> says from where on.'
  } else if (events.length === 0) {
    text = `Nothing has taken ${latency.thresholdMs} ms.`
  } else {
    text = events
      .map(({ name, samples, maxMs }) => {
        const mean = samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length
        return `${name}: ${samples.length} times, ${Math.round(mean)} ms on average, ${maxMs} ms at most. ${ADVICE[name] ?? ''}`
      })
      .join('\n')
  }
  call.reply.verbatim('txt', `${text}\n`)
}

function textsFrom(call: Call, first: number): string[] {
  const texts: string[] = []
  for (let i = first; i < call.argc; i++) texts.push(call.text(i))
  return texts
}
