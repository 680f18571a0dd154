/**
 * Errors that an operator must understand. Each has a code that never changes meaning; docs/errors.md lists
 * every code with its cause and remedy, and a test ties that page to this catalogue.
 */
export const ERROR_CODES = {
  MRD_CONFIG: 'the configuration is not valid',
  MRD_ARGUMENT: 'a command-line argument is not valid',
  MRD_PORT_IN_USE: 'a listening address is taken',
  MRD_LISTEN: 'a listening address cannot be opened',
  MRD_DATA_FOLDER: 'the data folder cannot be used',
  MRD_DATA_FOLDER_LOCKED: 'another process uses the data folder',
  MRD_DATA_FOLDER_OWNER: 'the data folder belongs to another member or cluster',
  MRD_LOG_DAMAGED: 'a log segment is damaged before its tail',
  MRD_LOG_VERSION: 'a log segment was written by a newer version',
  MRD_LOG_TRIMMED: 'the log no longer reaches back to a position',
  MRD_TRANSFER: 'a snapshot cannot be given to another member, or taken from one',
  MRD_SNAPSHOT_DAMAGED: 'a snapshot is damaged',
  MRD_SNAPSHOT_VERSION: 'a snapshot was written by a newer version',
  MRD_BACKUP_DAMAGED: 'a backup is damaged',
  MRD_BACKUP_VERSION: 'a backup was written by a newer version',
  MRD_BACKUP_FAILED: 'a backup could not be taken',
  MRD_RESTORE: 'a backup cannot be restored like that',
  MRD_DISK_FULL: 'the disk has no room',
  MRD_DISK_IO: 'the disk refused a read, write or sync',
  MRD_CERTIFICATE: 'a certificate or key cannot be used',
  MRD_PEER_IDENTITY: 'a peer is not who it should be',
  MRD_PEER_CLUSTER: 'a peer belongs to another cluster',
  MRD_PEER_VERSION: 'a peer speaks another protocol version',
  MRD_PEER_PROTOCOL: 'a peer broke the protocol',
  MRD_PEER_DUPLICATE_ID: 'two members have one id',
  MRD_PEER_FORKED: 'another process has taken the place of a member',
  MRD_PEER_STRAY: 'a peer has writes of a removed member that came too late',
  MRD_PEER_UNKNOWN: 'a peer is not in the list of members',
  MRD_PEER_REMOVED: 'a member was removed from its cluster',
  MRD_JOIN_TARGET: 'the member that a new one asked cannot let it join',
  MRD_TOPOLOGY: 'a list of members cannot be used',
  MRD_PEER_UNREACHABLE: 'a peer cannot be reached',
  MRD_PEER_SILENT: 'a peer on an open link has gone silent',
  MRD_FRAME: 'a frame is malformed',
  MRD_MEMORY: 'the data does not fit into memory',
  MRD_UNREACHABLE: 'a member does not answer',
  MRD_REFUSED: 'a server refuses a command',
  MRD_FILE_EXISTS: 'a file would be overwritten',
  MRD_IMPORT_EXISTS: 'an import would meet keys that exist',
  MRD_IMPORT_STOPPED: 'an import or export was stopped before its end',
  MRD_SOURCE: 'the source of an import cannot be followed',
  MRD_RDB_DAMAGED: 'an RDB file or stream is damaged',
  MRD_RDB_UNSUPPORTED: 'an RDB file or stream has what Meridian cannot hold',
  MRD_NOT_BUILT: 'the program was not built',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** An error for the operator: a stable code, what is wrong, and how to mend it. */
export class MeridianError extends Error {
  override readonly name = 'MeridianError'

  constructor(
    readonly code: ErrorCode,
    /** One sentence that names the thing that is wrong: file, offset, key, address, peer. */
    what: string,
    /** What the operator can do about it. */
    readonly remedy: string,
    options?: { cause?: unknown },
  ) {
    super(`${what} (${code}). ${remedy}`, options)
  }
}
