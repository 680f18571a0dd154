import type { Call } from '../call.js'
import type { CommandSpec } from '../command-spec.js'

const COLUMNS = 60
const ROWS = 18

/** LOLWUT: a globe whose land is new each time, with the meridian that the database is named after. */
export const LOLWUT_COMMAND: CommandSpec = {
  name: 'lolwut',
  arity: -1,
  flags: ['readonly', 'fast'],
  group: 'server',
  since: '5.0.0',
  summary: 'Draws something.',
  complexity: 'O(1)',
  arguments: [{ name: 'version', type: 'integer', token: 'VERSION', flags: ['optional'] }],
  handler: lolwut,
}

/** The one drawing that there is belongs to every version. */
function lolwut(call: Call): void {
  if (call.argc >= 3 && call.is(1, 'VERSION')) call.integer(2)
  const { server } = call.services
  const phases = Array.from({ length: 4 }, () => (server.random() / 2 ** 32) * Math.PI * 2)
  let text = ''
  for (let row = 0; row < ROWS; row++) {
    const y = ((row + 0.5) / ROWS) * 2 - 1
    let line = ''
    for (let column = 0; column < COLUMNS; column++) line += symbolAt(((column + 0.5) / COLUMNS) * 2 - 1, y, phases)
    text += `${line.trimEnd()}\n`
  }
  call.reply.verbatim('txt', `${text}\nMeridian ver. ${server.version}\n`)
}

function symbolAt(x: number, y: number, phases: readonly number[]): string {
  const fromAxis = x * x + y * y
  if (fromAxis > 1) return ' '
  if (fromAxis > 0.93) return '·'
  const z = Math.sqrt(1 - fromAxis)
  const longitude = Math.atan2(x, z)
  if (Math.abs(longitude - 0.35) < 0.035) return '|'
  const height =
    Math.sin(longitude * 2 + phases[0]) * Math.cos(y * 3 + phases[1]) +
    Math.sin(longitude * 5 + y * 4 + phases[2]) * Math.cos(y * 6 + phases[3]) * 0.6
  if (height > 0.8) return '#'
  return height > 0.25 ? '+' : '.'
}
