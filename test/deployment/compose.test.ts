import { existsSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.js'
import { cli } from '../cli/run.js'

/** No engine runs where the tests run: docker-compose.yml and Dockerfile are held against the program and its configurations. */

interface Service {
  image: string
  build: string
  command: string[]
  entrypoint?: string[]
  ports?: string[]
  volumes: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck: { test?: string[]; disable?: boolean }
}

const root = new URL('../../', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8')
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, null>
}
const regions = Object.entries(compose.services).filter(([name]) => name !== 'certificates')

describe('docker-compose.yml', () => {
  it('has three regions, each named like its member', () => {
    expect(regions.map(([name]) => name)).toEqual(['us', 'eu', 'ap'])
  })

  it.each(regions)('%s runs its own configuration, publishes its port and keeps its data in a volume', (name, service) => {
    const file = `config/${name}.yaml`
    const config = loadConfig(file)
    expect(config.member.name).toBe(name)
    expect(service.command).toEqual(['server', '--config', file])
    expect(service.ports).toEqual([`${config.clients.port}:${config.clients.port}`])
    expect(config.clients.bind).toEqual(['0.0.0.0'])
    const mounts = new Map(service.volumes.map((volume) => [volume.split(':')[1], volume.split(':')[0]]))
    expect(mounts.get(config.storage.dir)).toBe(`${name}-data`)
    expect(mounts.get('/certs')).toBe('certificates')
    for (const volume of mounts.values()) expect(Object.keys(compose.volumes)).toContain(volume)
    expect(config.peers).toMatchObject({ certFile: `/certs/${name}.crt`, keyFile: `/certs/${name}.key`, caFile: '/certs/ca.crt' })
    expect(service.depends_on).toEqual({ certificates: { condition: 'service_completed_successfully' } })
  })

  it.each(regions)('%s is called healthy when it serves, by a command that exists', async (name, { healthcheck }) => {
    expect(healthcheck.test).toEqual(['CMD', 'meridian', 'ping', '--config', `config/${name}.yaml`])
    expect((await cli('ping', '--config', `config/${name}.yaml`, '--help')).code).toBe(0)
  })

  it('gives the members the addresses under which they find each other', () => {
    const lists = regions.map(([name]) => loadConfig(`config/${name}.yaml`).peers?.members)
    expect(lists[1]).toEqual(lists[0])
    expect(lists[2]).toEqual(lists[0])
    for (const [name] of regions) {
      const config = loadConfig(`config/${name}.yaml`)
      const listed = config.peers?.members.find((member) => member.name === name)
      expect(listed).toMatchObject({
        id: config.member.id,
        host: name,
        port: config.peers?.port,
        clientPort: config.clients.port,
      })
    }
  })

  it('makes the certificates with commands that exist, for the cluster and members that the files name', async () => {
    const script = compose.services.certificates.command[0].trim().split('\n')
    expect(script[0]).toContain(`--cluster-id ${loadConfig('config/us.yaml').clusterId} `)
    expect(script[1]).toContain(`issue ${regions.map(([name]) => name).join(' ')} `)
    for (const line of script) expect((await cli(...line.split(' ').slice(1), '--help')).code).toBe(0)
  })
})

describe('the Dockerfile', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => match[1].split(' '))
  const allowed = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))

  it('copies only what exists and what .dockerignore lets through', () => {
    for (const source of copied) expect(existsSync(new URL(source, root)), source).toBe(true)
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort())
  })

  it('runs as an ordinary user, with a launcher that can be executed', () => {
    expect(read('Dockerfile')).toMatch(/^USER node$/m)
    expect(statSync(new URL('bin/meridian', root)).mode & 0o111).toBe(0o111)
  })
})
