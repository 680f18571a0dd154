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
  stream4: 26,
  stream5: 27,
  array: 28,
  /** Hashes whose fields are those of a template. Types 30 and 32 are 29 and 31 in files, where the template has been told before: they are read as those. */
  hashTemplateListpack: 29,
  hashTemplateListpackReference: 30,
  hashTemplate: 31,
  hashTemplateReference: 32,
} as const

/** Redis 7.4 to 8.4 write version 12, 8.6 writes 13, 8.8 writes 14, and 8.10 one of the next two; the newest that is known here. */
export const NEWEST_RDB_VERSION = 16
/** Version in which DUMP appeared. Nothing older can come as a payload, and all that RESTORE read it. */
export const OLDEST_PAYLOAD_VERSION = 6

/** First version that has a type, for the types that are written here. redis-server 7.0 reads up to 10, 7.2 up to 11, 8.6 up to 13. */
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
    case RdbType.stream4:
      return 13
    case RdbType.stream5:
      return 14
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
    case RdbType.hashTemplateListpack:
    case RdbType.hashTemplate:
      return 'hash'
    case RdbType.stream:
    case RdbType.stream2:
    case RdbType.stream3:
    case RdbType.stream4:
    case RdbType.stream5:
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

/** How the fields of a hash with a template stand before its values: in one listpack, or one after the other. */
export const FIELDS_LISTPACK = 0
export const FIELDS_APART = 1

/** Of an element of an array, what it is. */
export const ArrayElement = {
  string: 0,
  integer: 1,
  float: 2,
  shortString: 3,
} as const

/** First bytes of an item of a file that is no value. */
export const RdbOpcode = {
  hashTemplate: 242,
  /** Stands in payloads, too, before the type. */
  keyMetadata: 243,
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
