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
  /** Bytes read from a client socket at a time, into one buffer shared by all; about 1,000 small commands. */
  readBufferBytes: 64 * KiB,
  /** Time that one client's pipeline may take of a turn. Then the others come first and it goes on in the next turn. */
  clientTurnMs: 1,
  /** Replies of one turn, all clients together, before they are sent and the buffer begins anew. */
  turnOutputBytes: 4 * MiB,
  /** Replies of one client that wait to be sent before no further command of it runs, unless a larger output limit is set. */
  pausedOutputBytes: 1 * MiB,
  /** Input kept of a client whose command is blocked; beyond it the socket is not read. */
  blockedInputBytes: 1 * MiB,
  /** TLS connections whose handshake is not finished. Further ones are closed. */
  pendingHandshakes: 1024,
  handshakeMs: 10_000,
  /** Sockets that were closed here and wait for the client to have read the last reply. Further ones are cut off at once. */
  lingeringSockets: 1024,
  lingerMs: 2000,
} as const
