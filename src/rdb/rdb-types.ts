/** First byte of a value: its type and how it is encoded. */
export const RdbType = {
  string: 0,
  list: 1,
  set: 2,
  zsetText: 3,
  hash: 4,
  zset: 5,
  modulePreRelease: 6,
  module: 7,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  stream: 15,
  hashListpack: 16,
  zsetListpack: 17,
  listQuicklist2: 18,
  stream2: 19,
  setListpack: 20,
  stream3: 21,
  /** Types 22 and 23 are 24 and 25 of a release candidate: no earliest expiry in front, times not relative to it. */
  hashExpiringPreRelease: 22,
  hashListpackExpiringPreRelease: 23,
  hashExpiring: 24,
  hashListpackExpiring: 25,
} as const

/** Version that Redis 7.4 and 8.0 write; the newest that is known here. */
export const NEWEST_RDB_VERSION = 12
/** Version in which DUMP appeared. Nothing older can come as a payload, and all that RESTORE read it. */
export const OLDEST_PAYLOAD_VERSION = 6

/** First version that has a type, for the types that are written here. redis-server 7.0 reads up to 10, 7.2 up to 11. */
export function versionOf(type: number): number {
  switch (type) {
    case RdbType.zset:
      return 8
    case RdbType.stream2:
      return 10
    case RdbType.stream3:
      return 11
    case RdbType.hashExpiring:
      return 12
    default:
      return OLDEST_PAYLOAD_VERSION
  }
}

/** What clients call the type of a key; null for those of modules. */
export function typeName(type: number): 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream' | null {
  switch (type) {
    case RdbType.string:
      return 'string'
    case RdbType.list:
    case RdbType.listZiplist:
    case RdbType.listQuicklist:
    case RdbType.listQuicklist2:
      return 'list'
    case RdbType.set:
    case RdbType.setIntset:
    case RdbType.setListpack:
      return 'set'
    case RdbType.zset:
    case RdbType.zsetText:
    case RdbType.zsetZiplist:
    case RdbType.zsetListpack:
      return 'zset'
    case RdbType.hash:
    case RdbType.hashZipmap:
    case RdbType.hashZiplist:
    case RdbType.hashListpack:
    case RdbType.hashExpiring:
    case RdbType.hashExpiringPreRelease:
    case RdbType.hashListpackExpiring:
    case RdbType.hashListpackExpiringPreRelease:
      return 'hash'
    case RdbType.stream:
    case RdbType.stream2:
    case RdbType.stream3:
      return 'stream'
    default:
      return null
  }
}

/** First two bits of a length. */
export const LENGTH_6 = 0
export const LENGTH_14 = 1
/** Whole first bytes. */
export const LENGTH_32 = 0x80
export const LENGTH_64 = 0x81
/** Whole first bytes of strings that are not stored as such. */
export const ENCODED_INT8 = 0xc0
export const ENCODED_INT16 = 0xc1
export const ENCODED_INT32 = 0xc2
export const ENCODED_LZF = 0xc3

/** Nodes of a quicklist. */
export const NODE_PLAIN = 1
export const NODE_PACKED = 2

/** First bytes of an item of a file that is no value. */
export const RdbOpcode = {
  slotInfo: 244,
  functionLibrary: 245,
  functionPreRelease: 246,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resize: 251,
  expirySeconds: 253,
  expiryMs: 252,
  select: 254,
  end: 255,
} as const

/** Parts of what a module has stored, each behind one of these, so that it can be passed over by those who do not have the module. */
export const ModulePart = {
  end: 0,
  signed: 1,
  unsigned: 2,
  float: 3,
  double: 4,
  string: 5,
} as const

/** From this version on a file ends with its checksum. */
export const CHECKSUM_SINCE_VERSION = 5
