import { createServer } from 'node:net'

/** Below the range from which the system hands out ports by itself, so that no outgoing connection takes one meanwhile. */
const FIRST_PORT = 10_000
const PORTS = 20_000

const given = new Set<number>()

/** Ports of 127.0.0.1 that are free now; each is given out once in this process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}

/** Consecutive free ports, for `up`: base + 0.. and base + offset + 0... */
export async function freeBasePort(regions: number, offset: number): Promise<number> {
  for (;;) {
    const [base] = await freePorts(1)
    const ports = Array.from({ length: regions }, (_, i) => [base + i, base + offset + i]).flat()
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
