/**
 * Classes of keyspace events, as `notify-keyspace-events` selects them by letters. K and E, and S, T, I, V for events that are about fields of a hash, say on
 * which channels events are published; without one of them there are none.
 */
export const NotificationClass = {
  /** K: on `__keyspace@<db>__:<key>`. */
  keyspace: 1 << 0,
  /** E: on `__keyevent@<db>__:<event>`. */
  keyevent: 1 << 1,
  generic: 1 << 2,
  string: 1 << 3,
  list: 1 << 4,
  set: 1 << 5,
  hash: 1 << 6,
  sortedSet: 1 << 7,
  expired: 1 << 8,
  evicted: 1 << 9,
  stream: 1 << 10,
  keyMiss: 1 << 11,
  module: 1 << 12,
  newKey: 1 << 13,
  /** S: on `__subkeyspace@<db>__:<key>`. */
  subkeyspace: 1 << 14,
  /** T: on `__subkeyevent@<db>__:<event>`. */
  subkeyevent: 1 << 15,
  /** I: on `__subkeyspaceitem@<db>__:<key>\n<field>`. */
  subkeyspaceItem: 1 << 16,
  /** V: on `__subkeyspaceevent@<db>__:<event>|<key>`. */
  subkeyspaceEvent: 1 << 17,
  overwritten: 1 << 18,
  typeChanged: 1 << 19,
} as const

const C = NotificationClass
/** What A stands for: key misses, new keys, and keys that are written over or change their type are not part of it. */
const ALL = C.generic | C.string | C.list | C.set | C.hash | C.sortedSet | C.expired | C.evicted | C.stream | C.module

/** In the order in which Redis prints them. */
const IN_ALL: readonly (readonly [letter: string, flag: number])[] = [
  ['g', C.generic],
  ['$', C.string],
  ['l', C.list],
  ['s', C.set],
  ['h', C.hash],
  ['z', C.sortedSet],
  ['x', C.expired],
  ['e', C.evicted],
  ['t', C.stream],
  ['d', C.module],
  // Redis leaves n, o and c out beside A: there `KEAn` reads back as `AKE`. Here they are not lost.
  ['n', C.newKey],
  ['o', C.overwritten],
  ['c', C.typeChanged],
]
const CHANNELS: readonly (readonly [letter: string, flag: number])[] = [
  ['K', C.keyspace],
  ['E', C.keyevent],
  ['m', C.keyMiss],
  ['S', C.subkeyspace],
  ['T', C.subkeyevent],
  ['I', C.subkeyspaceItem],
  ['V', C.subkeyspaceEvent],
]

/** The letters that there are, as errors name them. */
export const NOTIFICATION_LETTERS = 'Ag$lshzxeKEtmdnocSTIV'

/** The classes that letters select, or null when one of them is none. */
export function parseNotificationClasses(letters: string): number | null {
  let flags = 0
  for (const letter of letters) {
    const known = letter === 'A' ? ALL : [...IN_ALL, ...CHANNELS].find(([name]) => name === letter)?.[1]
    if (known === undefined) return null
    flags |= known
  }
  return flags
}

/** The letters for classes, in Redis' order. */
export function formatNotificationClasses(flags: number): string {
  const isAll = (flags & ALL) === ALL
  let text = isAll ? 'A' : ''
  for (const [letter, flag] of IN_ALL) if ((flags & flag) !== 0 && !(isAll && (flag & ALL) !== 0)) text += letter
  for (const [letter, flag] of CHANNELS) if ((flags & flag) !== 0) text += letter
  return text
}
