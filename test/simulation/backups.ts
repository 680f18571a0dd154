import type { DataFolderIdentity } from '../../src/oplog/data-folder.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Disk } from '../../src/ports/disk.js'
import type { Fault } from './faults.js'
import type { History } from './history.js'
import type { SeededRandom } from './random.js'
import type { Scheduler } from './scheduler.js'
import { Life, MachineClock, SimClock } from './sim-clock.js'
import { SimDisk } from './sim-disk.js'
import type { SimulatedBackup, SimulatedMember } from './simulated-member.js'

/** What a simulation begins with that does not begin with nothing: a backup, of which its first members are made. */
export interface Beginning {
  readonly clusterId: string
  /** What the backup has, and nothing else. */
  readonly history: History
  readonly vector: Float64Array
  /** How far clocks are ahead of those of a simulation that begins with nothing. */
  readonly aheadMs: number
  /** The ids of the first members, all of which are made of it. */
  readonly members: readonly number[]
  /** How many members are added at once. */
  readonly added: number
  readonly steps: number
  restore(disk: Disk, folder: string, identity: DataFolderIdentity, clock: Clock): void
}

/** Whose backup is taken. */
interface Source {
  readonly id: number
  readonly life: Life
  /** Null while it is down. */
  readonly member: SimulatedMember | null
  /** What it has logged. */
  readonly logged: Float64Array
}

/** What trials of backups need of the simulation that they are taken in. */
export interface BackupHost {
  readonly scheduler: Scheduler
  readonly history: History
  /** Everybody who was ever a member. */
  readonly ids: readonly number[]
  /** Throws, naming the place. */
  fail(what: string): Error
  trace(line: () => string): void
  /** Runs a cluster that begins with a backup; throws what it finds. */
  runRestored(beginning: Beginning): void
}

const BACKUP_RATE = 0.03
/** More than any member id. */
const IDS = 256
const RESTORED_STEPS = 50

/** Backups, as faults whose indexes come after those. */
export function planBackups(random: SeededRandom, steps: number, firstIndex: number): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(BACKUP_RATE)) continue
    const draws = { a: random.uint32(), b: random.uint32(), durationMs: 0, amount: random.pick([0.5, 3, 15, 60]) }
    faults.push({ index: firstIndex + faults.length, atStep: step, kind: 'backup', ...draws })
  }
  return faults
}

/**
 * Takes backups of members while everything goes on, and holds each against the history: it has exactly what was durable at its member when it became ready,
 * and shows what the history says of that (docs/decisions/0022). Now and then a cluster is made of one, which then runs like any other, with members of the
 * same ids and of new ones, and must come to what its own history says.
 */
export class BackupTrials {
  /** Backups that were compared, and clusters that were made of one. */
  readonly counts = { compared: 0, restored: 0 }
  private last: Omit<Beginning, 'members' | 'added' | 'steps' | 'clusterId'> | null = null

  constructor(
    private readonly host: BackupHost,
    private readonly random: SeededRandom,
    private readonly clusterId: string,
  ) {}

  /** Begins one; it is asked for and fetched every so many milliseconds. */
  begin(source: Source, name: string, meanPauseMs: number): void {
    const { host, random } = this
    const { member, life } = source
    if (member?.beginBackup === undefined) return
    // The client's machine.
    const ownLife = new Life()
    const disk = new SimDisk(host.scheduler, random.stream(`backup disk ${name}`))
    const clock = new MachineClock(host.scheduler, 0, 1)
    const backup = member.beginBackup(disk.port(ownLife), new SimClock(clock, ownLife))
    if (backup === null) return
    const wanted = Float64Array.from(source.logged)
    let reached: { history: History; vector: Float64Array; aheadMs: number } | null = null
    const pauses = random.stream(`backup ${name}`)
    const goOn = (): void => {
      if (!life.alive) return
      const before = Float64Array.from(member.durable.stamps.subarray(0, IDS))
      const state = reached === null ? backup.ask() : backup.fetch()
      if (state === 'gone') return host.trace(() => `backup ${name} was given up`)
      if (state === 'whole' && reached !== null) return this.compare(source, name, backup, reached)
      if (state === 'ready') {
        for (const id of host.ids) {
          if (before[id] < wanted[id])
            throw host.fail(
              `backup ${name} is ready before ${id}:${wanted[id]} is durable, which was there when it was asked for`,
            )
        }
        reached = { history: host.history.upTo(before), vector: before, aheadMs: host.scheduler.now }
        host.trace(() => `backup ${name} is ready: ${member.durable.toString()}`)
      }
      host.scheduler.after(pauses.exponential(meanPauseMs), goOn)
    }
    host.scheduler.after(pauses.exponential(meanPauseMs), goOn)
  }

  /** A member that is made of it, alone in a new cluster, must have and show what the history says. */
  private compare(
    source: Source,
    name: string,
    backup: SimulatedBackup,
    reached: { history: History; vector: Float64Array; aheadMs: number },
  ): void {
    const { host } = this
    host.trace(() => `backup ${name} is compared`)
    this.counts.compared++
    this.last = { ...reached, restore: (disk, folder, identity, clock) => backup.restore(disk, folder, identity, clock) }
    host.runRestored({ ...this.last, clusterId: 'looked-at', members: [source.id], added: 0, steps: 0 })
  }

  /** Everything is over: the last backup is restored. */
  finish(): void {
    const { last, random, host } = this
    if (last === null || !random.chance(0.5)) return
    this.counts.restored++
    const draw = random.stream('restored')
    const clusterId = draw.chance(0.5) ? this.clusterId : 'another'
    // All regions from the one backup; or one, to which others are added. Others that begin with nothing and are not added may write too soon (decision 0022).
    const isEach = draw.chance(0.5)
    const ids = isEach ? host.ids : [draw.pick([...host.ids, 100])]
    const added = isEach ? draw.below(2) : draw.between(1, 2)
    host.runRestored({ ...last, clusterId, members: ids, added, steps: RESTORED_STEPS })
  }
}
