/**
 * Every bound in one place: the number, its arithmetic, and what happens at the bound.
 */

const KiB = 1024
const MiB = 1024 * KiB

export const LIMITS = {
  /** Longest string value and longest bulk argument; Redis' proto-max-bulk-len. Beyond: protocol error or "string exceeds maximum". */
  maxBulkBytes: 512 * MiB,
  /** Most arguments of one command; Redis' 1024*1024. Beyond: "invalid multibulk length". */
  maxArguments: 1024 * 1024,
  /** Longest inline command; Redis' PROTO_INLINE_MAX_SIZE. Beyond: "too big inline request". */
  maxInlineBytes: 64 * KiB,
  /** A frame is closed when it holds this much, unless one op alone is larger. 64 KiB apply in about 2 ms. */
  frameTargetBytes: 64 * KiB,
  /** Largest frame: one op of one 512 MiB value and a MULTI of as much again. Beyond: the command is refused. */
  maxFrameBytes: 1024 * MiB,
  /** Databases reachable by SELECT when nothing is configured. */
  defaultDatabases: 16,
  maxDatabases: 256,
  /** A log segment is closed when it passes this size. */
  segmentBytes: 64 * MiB,
  /** Members in one mesh. Ids go to 255 and are never reused; this bounds links and contexts. */
  maxMembers: 64,
  /** Frames kept in memory for peers that are nearly up to date; older ones are read from the log. */
  recentFrameBytes: 16 * MiB,
  /** Bytes a receiver lets a sender have in flight per subscribed origin. At the bound the sender waits. */
  subscriptionCreditBytes: 4 * MiB,
  /** Unstable string edits kept on one key before the writer ships the whole value instead. */
  maxUnstableEdits: 64,
  /** Longest password in a configuration file or CONFIG SET: it is hashed on every AUTH. Beyond: the value is refused. */
  maxPasswordBytes: 1024,
  /** Largest configuration file that is read: a full one of 64 members is about 16 KiB. Beyond: refused unread. */
  maxConfigFileBytes: 1024 * KiB,
} as const
