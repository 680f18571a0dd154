import { appendFileSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemberProcess } from './support/member-process.js'
import { SoloRig } from './support/solo-member.js'

/** Where a segment's header says how long it is; docs/formats/log.md. */
const HEADER_LENGTH_AT = 12

let rig: SoloRig
let member: MemberProcess

beforeEach(async () => {
  rig = new SoloRig()
  member = await rig.member()
  await member.start()
  for (const n of [1, 2, 3, 4]) await member.command('SET', `key:${n}`, `value ${n}`)
  expect((await member.stop()).code).toBe(0)
})

afterEach(() => rig.dispose())

function segment(): string {
  const folder = join(member.plan.dataFolder, 'log')
  return join(folder, readdirSync(folder).sort().at(-1) ?? '')
}

function values(): Promise<unknown> {
  return member.command('MGET', 'key:1', 'key:2', 'key:3', 'key:4')
}

describe('a damaged log', () => {
  it.each([
    ['an unfinished frame', (path: string) => truncateSync(path, readFileSync(path).length - 5), 3],
    [
      'what a crash left of a frame that was being written',
      (path: string) => appendFileSync(path, Buffer.from([200, 0, 0, 0, 1, 2, 3])),
      4,
    ],
    ['zeros where the file had been made longer first', (path: string) => appendFileSync(path, Buffer.alloc(4096)), 4],
  ])(
    'is cut at the end: %s',
    async (_, damage, keys) => {
      damage(segment())
      await member.start()
      expect(member.output).toMatch(/cut an unfinished write from the end of the log/)
      const expected = [1, 2, 3, 4].map((n) => (n <= keys ? `value ${n}` : null))
      expect(await values()).toEqual(expected)
      await member.command('SET', 'key:4', 'again')
      await member.kill()
      await member.start()
      expect(await values()).toEqual([...expected.slice(0, 3), 'again'])
    },
    30_000,
  )

  it('before its end keeps the member from starting, names file and offset, and changes nothing', async () => {
    const path = segment()
    const whole = readFileSync(path)
    const firstFrame = whole.readUInt32LE(HEADER_LENGTH_AT)
    const flipped = Buffer.from(whole)
    flipped[firstFrame + 50] ^= 0x10
    writeFileSync(path, flipped)
    const process = member.launch()
    expect(await process.ends()).toEqual({ code: 1, signal: null })
    expect(process.output).toContain(`${path} is damaged at byte ${firstFrame}: `)
    expect(process.output).toMatch(/\(MRD_LOG_DAMAGED\)\. Nothing was changed\. Restore this file/)
    expect(readFileSync(path)).toEqual(flipped)
    writeFileSync(path, whole)
    await member.start()
    expect(await values()).toEqual(['value 1', 'value 2', 'value 3', 'value 4'])
  }, 30_000)
})
