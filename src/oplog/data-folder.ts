import { MeridianError } from '../base/errors.js'
import { isMemberId, type MemberId } from '../base/ids.js'
import type { Disk } from '../ports/disk.js'

/** Who owns a data folder; written once, when the member starts in an empty folder. */
export interface DataFolderIdentity {
  readonly clusterId: string
  readonly memberId: MemberId
  readonly memberName: string
  /** Unix milliseconds. */
  readonly createdMs: number
}

const IDENTITY_FORMAT = 1

export function identityPath(folder: string): string {
  return `${folder}/identity.json`
}

/**
 * Makes the folder this member's, or checks that it already is. Call it with the folder locked, before the log is opened.
 * @throws MeridianError MRD_DATA_FOLDER_OWNER when it is another's, MRD_DATA_FOLDER when it cannot be used or read
 */
export function claimDataFolder(disk: Disk, folder: string, member: DataFolderIdentity): DataFolderIdentity {
  disk.ensureFolder(folder)
  const found = readIdentity(disk, folder)
  if (found === null) {
    disk.writeWhole(identityPath(folder), identityBytes(member))
    return member
  }
  if (found.clusterId !== member.clusterId || found.memberId !== member.memberId || found.memberName !== member.memberName) {
    throw new MeridianError(
      'MRD_DATA_FOLDER_OWNER',
      `The data folder ${folder} belongs to ${describe(found)}, this is ${describe(member)}`,
      'Point this member at its own data folder, or correct its name, id and cluster in the configuration. ' +
        `If the member was renamed, change its name in ${identityPath(folder)}.`,
    )
  }
  return found
}

export function identityBytes(member: DataFolderIdentity): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ format: IDENTITY_FORMAT, ...member }, null, 2)}\n`)
}

/**
 * The owner of a data folder, or null when it has none yet.
 * @throws MeridianError MRD_DATA_FOLDER when the identity file is there but cannot be understood
 */
export function readIdentity(disk: Disk, folder: string): DataFolderIdentity | null {
  const path = identityPath(folder)
  if (!disk.exists(path)) return null
  const text = new TextDecoder().decode(disk.readWhole(path))
  let fields: Record<string, unknown>
  try {
    fields = { ...(JSON.parse(text) as object) }
  } catch (cause) {
    throw unreadable(path, 'it is not JSON', cause)
  }
  const { format, clusterId, memberId, memberName, createdMs } = fields
  if (format !== IDENTITY_FORMAT)
    throw unreadable(path, `it has format ${String(format)}, this server reads format ${IDENTITY_FORMAT}`)
  if (
    typeof clusterId !== 'string' ||
    typeof memberId !== 'number' ||
    !isMemberId(memberId) ||
    typeof memberName !== 'string' ||
    typeof createdMs !== 'number'
  ) {
    throw unreadable(path, 'a field is missing or has the wrong type')
  }
  return { clusterId, memberId, memberName, createdMs }
}

function describe(identity: DataFolderIdentity): string {
  return `member ${identity.memberName} (id ${identity.memberId}) of cluster ${identity.clusterId}`
}

function unreadable(path: string, what: string, cause?: unknown): MeridianError {
  return new MeridianError(
    'MRD_DATA_FOLDER',
    `${path} cannot be used: ${what}`,
    'Restore it from a copy of the data folder, or start the version of Meridian that wrote it.',
    {
      cause,
    },
  )
}
