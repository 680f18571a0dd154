import { afterEach, expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { PeerSync } from '../../src/peer-sync/peer-sync.js'
import { NodeClock } from '../../src/platform/node-clock.js'
import { TlsNetwork } from '../../src/platform/tls-network.js'
import type { Clock } from '../../src/ports/clock.js'
import { issue, makeAuthority } from '../platform/test-certificates.js'
import { FakeHost } from './fake-host.js'
import { SeededRandom } from './fake-time.js'
import { memberInfo, memoryLogger, type LogLine } from './mesh.js'

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  idleMs: () => performance.now(),
  workUntil: (ownMs) => performance.now() + ownMs,
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (callback) => void setImmediate(callback),
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

it('three members converge over real sockets, also large frames and after a refused stranger', async () => {
  const authority = await makeAuthority()
  const lines: LogLine[] = []
  const logger = memoryLogger(lines)
  const open = async (name: string) =>
    TlsNetwork.open({ host: '127.0.0.1', port: 0, logger, clock: new NodeClock(), ...(await issue(authority, { name })) })
  const networks = await Promise.all(['m1', 'm2', 'm3', 'm9'].map(open))
  closers.push(() => networks.forEach((network) => network.close()))
  const members = [1, 2, 3].map((id) => ({
    ...memberInfo(id),
    address: { name: `m${id}`, host: '127.0.0.1', port: networks[id - 1].port },
  }))
  const syncs = members.map((member, i) => {
    const host = new FakeHost({ clusterId: 'test', version: 1, members, self: member.id }, clock)
    const sync = new PeerSync(host, { network: networks[i], clock, random: new SeededRandom(i + 1), logger })
    host.onLogChange = () => sync.onLogChange()
    closers.push(() => sync.stop())
    return { host, sync }
  })
  for (const { sync } of syncs) sync.start()
  await until(() =>
    syncs.every(({ sync }) => sync.peers().every((peer) => peer.outbound.state === 'up' && peer.inbound.state === 'up')),
  )
  for (let i = 0; i < 300; i++) for (const { host } of syncs) host.write(i % 50 === 0 ? 900_000 : 200)
  await until(() => syncs.every(({ host }) => host.log.length === 900))
  await until(() => syncs.every(({ sync, host }) => sync.stable().equals(host.applied)))
  expect(syncs[0].host.applied.equals(syncs[1].host.applied)).toBe(true)
  expect(syncs[0].sync.peers()[0].roundTripMs).not.toBeNull()

  const stranger = new FakeHost(
    { clusterId: 'test', version: 2, members: [...members, memberInfo(9)], self: 9 as MemberId },
    clock,
  )
  const intruder = new PeerSync(stranger, { network: networks[3], clock, random: new SeededRandom(9), logger })
  closers.push(() => intruder.stop())
  intruder.start()
  await until(() => intruder.peers().every((peer) => peer.lastError?.code === 'MRD_PEER_UNKNOWN'))
  expect(intruder.peers()[0].lastError?.message).toMatch(/Refused by m1: m9 is not in the list of members/)
})
