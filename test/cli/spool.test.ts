import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Spool } from '../../src/cli/import/spool.js'
import { LIMITS } from '../../src/base/limits.js'
import { SeededRandom } from '../differential/seeded-random.js'

const folder = mkdtempSync(join(tmpdir(), 'meridian-spool-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Bytes that tell their place. */
function piece(from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251
  return bytes
}

it('gives back what was pushed, in order, whoever is faster, and keeps within its bounds', async () => {
  const random = new SeededRandom(7)
  const spool = new Spool(folder, 6 * 1024 * 1024)
  const total = 40 * 1024 * 1024
  let most = 0
  const pushing = (async () => {
    for (let at = 0; at < total;) {
      const length = Math.min(total - at, 1 + random.below(512 * 1024))
      await spool.push(piece(at, length))
      most = Math.max(most, spool.pendingBytes)
      at += length
      if (random.chance(0.2)) await new Promise((resolve) => setImmediate(resolve))
    }
    spool.end()
  })()
  let at = 0
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (let bytes = await spool.read(); bytes !== null; bytes = await spool.read()) {
    if (!bytes.equals(piece(at, bytes.length))) throw new Error(`not what was pushed at ${at}`)
    at += bytes.length
    if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(3)))
  }
  await pushing
  expect(at).toBe(total)
  expect(most).toBeGreaterThan(LIMITS.spoolMemoryBytes)
  expect(most).toBeLessThanOrEqual(LIMITS.spoolMemoryBytes + 7 * 1024 * 1024)
  await spool.dispose()
  expect(readdirSync(folder)).toEqual([])
})

it('ends with the reason, after what came before it, or at once', async () => {
  const spool = new Spool(folder, 1024)
  await spool.push(Buffer.from('a'))
  spool.end(new Error('gone'))
  expect(String(await spool.read())).toBe('a')
  await expect(spool.read()).rejects.toThrow('gone')
  const aborted = new Spool(folder, 1024)
  await aborted.push(Buffer.from('a'))
  aborted.abort(new Error('stopped'))
  await expect(aborted.read()).rejects.toThrow('stopped')
})

it('fails where its folder cannot be written', async () => {
  const spool = new Spool(join(folder, 'nowhere'), LIMITS.spoolFileBytes)
  await expect(spool.push(Buffer.alloc(LIMITS.spoolMemoryBytes + 1))).rejects.toThrow('ENOENT')
})
