import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import type { MemberProcess } from './support/member-process.js'
import { RecordedLoad, requireAcknowledged } from './support/recorded-load.js'
import { addRegion, region } from './support/regions.js'
import { TcpProxy } from './support/tcp-proxy.js'
import { meridian, TestCluster } from './support/test-cluster.js'

let cluster: TestCluster
const added: MemberProcess[] = []

afterEach(async () => {
  await Promise.all(added.splice(0).map((member) => member.dispose()))
  await cluster.dispose()
})

async function add(name: string, via: MemberProcess): Promise<MemberProcess> {
  const member = await addRegion(cluster, name, via)
  added.push(member)
  return member
}

async function stateOf(via: MemberProcess, name: string): Promise<string | undefined> {
  const { members } = JSON.parse(await region(via, 'list', '--json')) as { members: { name: string; state: string }[] }
  return members.find((member) => member.name === name)?.state
}

describe('a cluster of processes', () => {
  it('takes a third region in under writes, and lets one go that was drained', async () => {
    cluster = await TestCluster.started({ names: ['us', 'eu'] })
    const [us, eu] = cluster.members
    const loads = [new RecordedLoad(us, 'us', 'count'), new RecordedLoad(eu, 'eu', 'count')]
    const ap = await add('ap', eu)
    await ap.start()
    loads.push(new RecordedLoad(ap, 'ap', 'count'))
    await ap.command('SET', 'first', 'word')
    await eventually(async () => expect(await us.command('GET', 'first')).toBe('word'))
    await new Promise((resolve) => setTimeout(resolve, 500))
    for (const load of loads) await load.stop()
    await cluster.converged(20_000, [us, eu, ap])
    for (const member of [us, eu, ap]) await requireAcknowledged(member, loads)

    expect(await us.command('SET', 'last', 'word')).toBe('OK')
    expect(await region(eu, 'remove', 'us')).toContain('Removed us')
    await eventually(async () => expect(await stateOf(eu, 'us')).toBe('left'))
    expect(await us.replyOrError('SET', 'later', '1')).toMatch(/^READONLY This member was removed from its cluster/)
    expect(await us.command('GET', 'last')).toBe('word')
    await cluster.converged(20_000, [eu, ap])
    expect(await ap.command('GET', 'last')).toBe('word')
    await us.stop()
    expect(await ap.command('INCR', 'count')).toBeGreaterThan(0)
    await cluster.converged(20_000, [eu, ap])
    // What is stable moves on without the one that has left.
    await eventually(async () => {
      const info = String(await eu.command('INFO', 'crdt'))
      expect(/stable_vector:(\S+)/.exec(info)?.[1]).toBe(/version_vector:(\S+)/.exec(info)?.[1])
    })
  }, 90_000)

  it('removes a dead one by force, says what is known of its writes, and refuses it when it comes back', async () => {
    cluster = await TestCluster.started({ names: ['us', 'eu', 'ap'] })
    const [us, eu, ap] = cluster.members
    await ap.command('SET', 'from', 'ap')
    await cluster.everywhere(['GET', 'from'], 'ap')
    await ap.kill()
    await us.command('SET', 'meanwhile', '1')
    const printed = await region(us, 'remove', 'ap', '--force')
    expect(printed).toMatch(/us: up to 20\d\d-/)
    expect(printed).toMatch(/eu: up to 20\d\d-/)
    await eventually(async () => {
      const info = String(await eu.command('INFO', 'crdt'))
      expect(/stable_vector:(\S+)/.exec(info)?.[1]).toBe(/version_vector:(\S+)/.exec(info)?.[1])
    })
    expect((await meridian('region', 'add', 'ap', '--peer-address', 'h:1', '--via', `127.0.0.1:${us.port}`)).output).toMatch(
      /ap is or was a member; a name is never used again/,
    )
    await ap.start()
    await ap.running.printed(/MRD_PEER_REMOVED/)
    await eventually(async () =>
      expect(await ap.replyOrError('SET', 'x', '1')).toMatch(/^READONLY .*region add NEWNAME.*meridian export/),
    )
    expect(await ap.command('GET', 'from')).toBe('ap')
    expect(await eu.command('SET', 'goes', 'on')).toBe('OK')
    await cluster.converged(20_000, [us, eu])

    // Under a new name, but with its old folder, of a member of the first list and of one that joined.
    const second = await add('second', us)
    await second.start()
    expect(await second.command('GET', 'goes')).toBe('on')
    await second.stop()
    const third = await add('third', us)
    for (const old of [ap, second]) {
      await old.stop()
      cpSync(old.plan.dataFolder, third.plan.dataFolder, { recursive: true })
      const refused = third.launch()
      expect((await refused.ends()).code).toBe(1)
      expect(refused.output).toMatch(
        new RegExp(`belongs to member ${old.plan.name} .*\\(MRD_DATA_FOLDER_OWNER\\)\\. A new member needs an empty data folder`),
      )
      rmSync(third.plan.dataFolder, { recursive: true })
    }
    await third.start()
    expect(await third.command('GET', 'goes')).toBe('on')
  }, 60_000)

  it('gives a member that was started from an old copy of its data its own writes back before it takes new ones', async () => {
    cluster = await TestCluster.started({ names: ['us', 'eu'] })
    const [us, eu] = cluster.members
    await us.stop()
    const copy = `${us.plan.dataFolder}.copy`
    cpSync(us.plan.dataFolder, copy, { recursive: true })
    await us.start()
    for (let i = 0; i < 5; i++) await us.command('INCR', 'count')
    await eventually(async () => expect(await eu.command('GET', 'count')).toBe('5'))
    await us.kill()
    rmSync(us.plan.dataFolder, { recursive: true })
    cpSync(copy, us.plan.dataFolder, { recursive: true })
    await us.start()
    await us.running.printed('all writes of this member that others had are here again')
    expect(await us.command('INCR', 'count')).toBe(6)
    await cluster.everywhere(['GET', 'count'], '6')
    await cluster.converged()
  }, 60_000)

  it('moves its links to a new address at once, and keeps them where that one does not answer', async () => {
    cluster = await TestCluster.started({ names: ['us', 'eu'] })
    const [us, eu] = cluster.members
    const proxy = await TcpProxy.open(0, eu.plan.peerPort)
    try {
      const wrong = await region(us, 'set', 'eu', '--peer-address', '127.0.0.1:1')
      expect(wrong).toContain('Changed peer-address of eu.\nThe others dial 127.0.0.1:1 now.')
      const peers = async (): Promise<string> => String(await us.command('INFO', 'peers'))
      await eventually(async () => expect(await peers()).toMatch(/link=up.*unreached=127\.0\.0\.1:1,error=.*ECONNREFUSED/))
      const status = await meridian('status', `127.0.0.1:${us.port}`)
      expect(status.output).toMatch(
        /eu is not reached at its new address 127\.0\.0\.1:1, the link to the one before stands: .*ECONNREFUSED/,
      )
      await eu.command('SET', 'key', 'over the old one')
      await cluster.everywhere(['GET', 'key'], 'over the old one')
      await region(us, 'set', 'eu', '--peer-address', `127.0.0.1:${proxy.port}`)
      await eventually(async () => expect(await peers()).toMatch(/link=up/))
      await eventually(async () => expect(await peers()).not.toContain('unreached'))
      expect(proxy.connectionCount).toBe(1)
      await eu.command('SET', 'key', 'over the new one')
      await cluster.everywhere(['GET', 'key'], 'over the new one')
    } finally {
      proxy.close()
    }
  }, 30_000)

  it('takes new certificates without dropping a link or a client', async () => {
    cluster = await TestCluster.started({ names: ['us', 'eu'] })
    const [us, eu] = cluster.members
    const client = await us.client()
    const links = () => us.output.split('peer link is up').length - 1
    // Each dials the other.
    await eventually(() => expect(links()).toBe(2))
    const issued = await meridian('certs', 'issue', 'us', '--dir', join(cluster.folder, 'certs'), '--force')
    expect(issued.code).toBe(0)
    us.running.signal('SIGHUP')
    await us.running.printed('the certificate for peer links was read again')
    expect(await client.command('SET', 'still', 'here')).toBe('OK')
    await eventually(async () => expect(await eu.command('GET', 'still')).toBe('here'))
    expect(links()).toBe(2)
    await eu.stop()
    await eu.start()
    await eventually(async () => expect(await eu.command('INFO', 'peers')).toMatch(/name=us,region=us,link=up/))
    writeFileSync(join(cluster.folder, 'certs', 'us.crt'), 'no certificate')
    us.running.signal('SIGHUP')
    await us.running.printed(/The certificate for peer links stays as it was: .*MRD_CERTIFICATE/)
    expect(await client.command('SET', 'still', 'there')).toBe('OK')
    await eventually(async () => expect(await eu.command('GET', 'still')).toBe('there'))
  }, 60_000)
})
