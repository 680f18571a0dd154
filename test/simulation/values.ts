import { compareIds, type Effect, type StreamId, type StreamPosition } from './effects.js'

/** What a key holds, as clients see it. Strings hold bytes as latin1. */
export type Value =
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'hash'; readonly fields: ReadonlyMap<string, FieldView> }
  | { readonly type: 'set'; readonly members: ReadonlySet<string> }
  | { readonly type: 'zset'; readonly scores: ReadonlyMap<string, number> }
  | { readonly type: 'list'; readonly items: readonly string[] }
  | {
      readonly type: 'stream'
      readonly entries: readonly StreamEntry[]
      readonly last: StreamId
      /** Entries that were ever added. */
      readonly added: number
      readonly groups: ReadonlyMap<string, GroupView>
      /** Messages of producers, live or not. */
      readonly marks: readonly MarkView[]
      readonly markLimits: MarkLimits
    }
  /** Ranks by index of the register; those of 0 are left out. */
  | { readonly type: 'hll'; readonly registers: ReadonlyMap<number, number> }

export type TypeName = Value['type']
export type ValueOf<T extends TypeName> = Extract<Value, { type: T }>

export interface FieldView {
  readonly text: string
  /** Unix ms, or null for a field that does not expire. */
  readonly expireAt: number | null
}

export interface StreamEntry extends StreamPosition {
  readonly fields: readonly string[]
}

/** XADD IDMP: a producer's message has become the entry of an ID, at a time in Unix ms. */
export interface MarkView {
  readonly producer: string
  readonly message: string
  readonly id: StreamId
  readonly region: number
  readonly time: number
}

/** For how long and how many messages of a producer are known. */
export interface MarkLimits {
  readonly durationS: number
  readonly maxSize: number
}

/** Of a stream in which nobody has marked anything: Redis' defaults. */
export const NO_MARKS: Pick<ValueOf<'stream'>, 'marks' | 'markLimits'> = {
  marks: [],
  markLimits: { durationS: 100, maxSize: 100 },
}

/** Who has an entry pending, and how often it was delivered. */
export interface Owner {
  readonly consumer: string
  readonly deliveries: number
}

export interface GroupView {
  readonly start: StreamId
  /** The SETID that says where it starts. */
  readonly place: Effect | null
  /** Positions that are acknowledged, as text. */
  readonly done: ReadonlySet<string>
  /** By member: those that it has given out. */
  readonly delivered: ReadonlyMap<number, ReadonlySet<string>>
  /** By member: what it adds itself up to there counts as given out. */
  readonly reached: ReadonlyMap<number, StreamId>
  /** By member: those that are pending there. */
  readonly pending: ReadonlyMap<number, ReadonlyMap<string, Owner>>
}

export function positionText({ ms, seq, region }: StreamPosition): string {
  return `${ms}-${seq}@${region}`
}

export function parsePosition(text: string): StreamPosition {
  const [ms, seq, region] = text.split(/[-@]/).map(Number)
  return { ms, seq, region }
}

export interface KeyView {
  readonly value: Value
  /** Unix ms, or null for a key that does not expire. */
  readonly expireAt: number | null
}

/** A key is gone at its time. (Redis keeps it for that last millisecond, which no client can rely on.) */
export function isDue(expireAt: number | null, nowMs: number): boolean {
  return expireAt !== null && nowMs >= expireAt
}

/** The key as a client sees it at a time: without what is due; null when that is all of it. */
export function presentAt(view: KeyView | null, nowMs: number): KeyView | null {
  if (view === null || isDue(view.expireAt, nowMs)) return null
  const { value } = view
  if (value.type !== 'hash') return view
  const fields = [...value.fields].filter(([, { expireAt }]) => !isDue(expireAt, nowMs))
  if (fields.length === 0) return null
  return fields.length === value.fields.size ? view : { ...view, value: { type: 'hash', fields: new Map(fields) } }
}

/**
 * Fields that are due are there until they are removed, by the member that set their times: when a command comes upon one, or by itself. Nobody sees
 * them, but they may count, and a hash of nothing else is a key still. So a client may find such a hash there, gone, or gone after a command that looked
 * into it. Members may do each of these.
 */
export type DueFields = 'here' | 'gone' | 'gone once seen'
export const DUE_FIELDS: readonly DueFields[] = ['here', 'gone', 'gone once seen']

/** The same text for the same value. */
export function showValue(value: Value): string {
  switch (value.type) {
    case 'string':
      return JSON.stringify(value.text)
    case 'hash':
      return `hash {${[...value.fields]
        .map(([field, view]) => `${JSON.stringify(field)}: ${showField(view)}`)
        .sort()
        .join(', ')}}`
    case 'set':
      return `set {${[...value.members]
        .map((member) => JSON.stringify(member))
        .sort()
        .join(', ')}}`
    case 'zset':
      return `zset {${[...value.scores]
        .map(([member, score]) => `${JSON.stringify(member)}: ${score}`)
        .sort()
        .join(', ')}}`
    case 'list':
      return `list [${value.items.map((item) => JSON.stringify(item)).join(', ')}]`
    case 'stream':
      return `stream ${value.last.ms}-${value.last.seq} of ${value.added} [${value.entries.map(showEntry).join(', ')}] ${showGroups(value.groups, value.entries)} ${showMessages(value)}`
    case 'hll':
      return `hll {${[...value.registers]
        .sort(([a], [b]) => a - b)
        .map(([index, rank]) => `${index}: ${rank}`)
        .join(', ')}}`
  }
}

function showEntry(entry: StreamEntry): string {
  return `${positionText(entry)} ${JSON.stringify(entry.fields)}`
}

export const newestTime = (marks: readonly MarkView[]): number => Math.max(0, ...marks.map(({ time }) => time))

/**
 * Messages that are known, by ID: of each producer the newest so many, of no more than so long before the newest of the stream, and, for an answer, before now.
 */
export function liveMarks({ marks, markLimits }: typeof NO_MARKS, nowMs = 0): MarkView[] {
  const oldest = Math.max(newestTime(marks), nowMs) - markLimits.durationS * 1000
  const byTime = (a: MarkView, b: MarkView): number =>
    a.time - b.time || compareIds(a.id, b.id) || a.region - b.region || (a.message < b.message ? -1 : 1)
  return [...new Set(marks.map(({ producer }) => producer))]
    .flatMap((producer) =>
      marks
        .filter((mark) => mark.producer === producer)
        .sort(byTime)
        .slice(-markLimits.maxSize),
    )
    .filter(({ time }) => time > oldest)
    .sort((a, b) => compareIds(a.id, b.id) || a.region - b.region)
}

/** Those that are known as long as nothing is added. */
function showMessages(stream: ValueOf<'stream'>): string {
  const { durationS, maxSize } = stream.markLimits
  const shown = liveMarks(stream).map(({ producer, message, id }) => `${producer} ${message} ${id.ms}-${id.seq}`)
  return `messages for ${durationS} s, ${maxSize} a producer [${shown.sort().join(', ')}]`
}

/** Of entries that are still there: how many lie behind the start, what is done, and what each member has given out; and what is pending in each. */
function showGroups(groups: ReadonlyMap<string, GroupView>, entries: readonly StreamEntry[]): string {
  const there = new Set(entries.map(positionText))
  const list = (positions: ReadonlySet<string>): string =>
    [...positions]
      .filter((position) => there.has(position))
      .sort()
      .join(' ')
  const shown = [...groups].map(([name, { start, done, delivered, pending }]) => {
    const behind = entries.filter(({ ms, seq }) => ms > start.ms || (ms === start.ms && seq > start.seq))
    // What is done anyway may have been given out as well.
    const open = new Set(behind.map(positionText).filter((position) => !done.has(position)))
    const given = [...delivered]
      .map(([member, positions]) => ({ member, shown: list(new Set([...positions].filter((position) => open.has(position)))) }))
      .filter(({ shown }) => shown !== '')
      .sort((a, b) => a.member - b.member)
      .map(({ member, shown }) => `${member}: ${shown}`)
    const owned = [...pending]
      .sort(([a], [b]) => a - b)
      .map(
        ([member, owners]) =>
          `${member}: ${[...owners]
            .map(([position, { consumer, deliveries }]) => `${position} ${consumer} ${deliveries}`)
            .sort()
            .join(' ')}`,
      )
    return `${name} from ${behind.length} done ${list(done)} delivered ${given.join('; ')} pending ${owned.join('; ')}`
  })
  return `{${shown.sort().join(', ')}}`
}

function showField({ text, expireAt }: FieldView): string {
  return JSON.stringify(text) + until(expireAt)
}

export function showView(view: KeyView | null): string {
  return view === null ? 'absent' : showValue(view.value) + until(view.expireAt)
}

function until(expireAt: number | null): string {
  return expireAt === null ? '' : ` until ${expireAt}`
}
