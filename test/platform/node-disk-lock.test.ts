import { spawn, type ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockDataFolder } from '../../src/platform/node-disk-lock.js'

let folder: string
let children: ChildProcess[] = []

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'meridian-lock-'))
})
afterEach(async () => {
  for (const child of children) await kill(child)
  children = []
  fs.rmSync(folder, { recursive: true })
})

const NO_TOOL = '/nowhere/flock'
const held = expect.objectContaining({ code: 'MRD_DATA_FOLDER_LOCKED' }) as Error

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}

async function start(command: string, args: string[], ready: () => boolean): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: 'ignore' })
  children.push(child)
  while (!ready()) await new Promise((done) => setTimeout(done, 5))
  return child
}

describe.each([
  ['with the flock tool', 'flock'],
  ['without the flock tool', NO_TOOL],
])('%s', (_name, tool) => {
  test('a locked folder is refused, a released one is not', () => {
    const lock = lockDataFolder(folder, tool)
    expect(() => lockDataFolder(folder, tool)).toThrow(held)
    expect(() => lockDataFolder(folder, tool)).toThrow(`${folder} is in use by process ${process.pid}`)
    lock.release()
    lock.release()
    lockDataFolder(folder, tool).release()
  })

  test('what a dead process left is no lock', () => {
    const path = join(folder, 'LOCK')
    for (const left of [
      '',
      '{"pid":',
      `{"pid":${process.pid},"started":"1"}`,
      '{"pid":99999999,"started":"1"}',
      '{"pid":-1,"started":"1"}',
    ]) {
      fs.writeFileSync(path, left)
      lockDataFolder(folder, tool).release()
    }
  })

  test('a folder that cannot be written is named', () => {
    expect(() => lockDataFolder(join(folder, 'none'), tool)).toThrow(/none\/LOCK.*MRD_DATA_FOLDER/)
  })
})

test('the lock ends with the process that holds it, killed or not', async () => {
  const mark = join(folder, 'mark')
  // `exec` keeps the lock in the one process that we kill.
  const script = `exec 9>"${join(folder, 'LOCK')}"; flock -n 9; touch "${mark}"; exec sleep 60`
  const holder = await start('sh', ['-c', script], () => fs.existsSync(mark))
  expect(() => lockDataFolder(folder)).toThrow(held)
  await kill(holder)
  lockDataFolder(folder).release()
})

test('without the tool a living process of another id keeps its folder until it is killed', async () => {
  const stat = (pid: number) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  const holder = await start('sleep', ['60'], () => true)
  const pid = holder.pid as number
  fs.writeFileSync(join(folder, 'LOCK'), JSON.stringify({ pid, started: stat(pid)[19] }))
  expect(() => lockDataFolder(folder, NO_TOOL)).toThrow(`in use by process ${pid}`)
  await kill(holder)
  lockDataFolder(folder, NO_TOOL).release()
})
