import { describe, expect, it } from 'vitest'
import { createLogger, type LevelledLogger, type LoggerOptions } from '../../src/platform/pino-logger.js'

function capture(options: Omit<LoggerOptions, 'destination'>): { logger: LevelledLogger; lines: string[] } {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  return { logger: createLogger({ ...options, destination }), lines }
}

describe('the logger', () => {
  it('writes a JSON line with level, time, fields and message', () => {
    const { logger, lines } = capture({ level: 'info', format: 'json' })
    logger.child({ part: 'oplog' }).info({ bytes: 3 }, 'appended')
    expect(JSON.parse(lines[0])).toMatchObject({ level: 'info', part: 'oplog', bytes: 3, msg: 'appended' })
    expect(lines[0].endsWith('\n')).toBe(true)
  })

  it('changes the level of children that exist already', () => {
    const { logger, lines } = capture({ level: 'warn', format: 'json' })
    const child = logger.child({})
    child.info({}, 'unheard')
    logger.setLevel('debug')
    child.debug({}, 'heard')
    logger.setLevel('error')
    child.warn({}, 'unheard')
    child.error({}, 'heard')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['heard', 'heard'])
  })

  it('writes for people', () => {
    const { logger, lines } = capture({ level: 'info', format: 'pretty' })
    logger.warn({ port: 7001, why: 'two words', err: Object.assign(new Error('gone'), { code: 'ENOENT' }) }, 'careful')
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}careful {2}port=7001 {2}why="two words" {2}err=gone\n$/)
  })
})
