/**
 * Preloaded into a member (NODE_OPTIONS=--import), makes its disk slow or broken: the calls of node:fs that write, cut and sync go through the rules in the
 * file $BROKEN_DISK, which a test writes at any time (see broken-disk.ts). Every sync of a file that is not whole any more is noted in $BROKEN_DISK.syncs.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { appendFileSync, readFileSync, readlinkSync, statSync } = fs
const control = process.env.BROKEN_DISK
let rules = []
let readMs = -1
const failures = new Map()

function matching(call, fd) {
  const { mtimeMs } = statSync(control)
  if (mtimeMs !== readMs) {
    readMs = mtimeMs
    rules = JSON.parse(readFileSync(control, 'utf8'))
  }
  const active = rules.filter((rule) => rule.call === call)
  if (active.length === 0) return null
  const path = readlinkSync(`/proc/self/fd/${fd}`)
  return active.find((rule) => path.includes(rule.path) && take(rule, path)) ?? null
}

/** A rule with `times` is used up; it says that it fails once and would then succeed, as a kernel does that has forgotten its pages. */
function take(rule, path) {
  if (rule.times !== undefined) {
    if (rule.times === 0) return false
    rule.times--
  }
  if (rule.error !== undefined && rule.call === 'sync') failures.set(path, (failures.get(path) ?? 0) + 1)
  return true
}

function noteSync(fd) {
  const path = readlinkSync(`/proc/self/fd/${fd}`)
  if (failures.has(path)) appendFileSync(`${control}.again`, `${path}\n`)
}

function error(rule, call) {
  return Object.assign(new Error(`${rule.error}: made up by a test, ${call}`), { code: rule.error, syscall: call })
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function wrapSync(name, call) {
  const original = fs[name]
  fs[name] = (fd, ...rest) => {
    if (call === 'sync') noteSync(fd)
    const rule = matching(call, fd)
    if (rule?.delayMs > 0) sleep(rule.delayMs)
    if (rule?.error !== undefined) throw error(rule, name)
    return original(fd, ...rest)
  }
}

function wrapAsync(name) {
  const original = fs[name]
  fs[name] = (fd, done) => {
    noteSync(fd)
    const rule = matching('sync', fd)
    const go = () => (rule?.error === undefined ? original(fd, done) : done(error(rule, name)))
    if (rule === null) original(fd, done)
    else setTimeout(go, rule.delayMs ?? 0)
  }
}

wrapSync('writeSync', 'write')
wrapSync('ftruncateSync', 'cut')
wrapSync('fsyncSync', 'sync')
wrapSync('fdatasyncSync', 'sync')
wrapAsync('fsync')
wrapAsync('fdatasync')
syncBuiltinESMExports()
