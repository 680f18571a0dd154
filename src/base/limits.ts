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
  /**
   * Most that a write command may bring, with what its transaction has written before it. Beyond: the command is refused. It leaves room for one
   * 512 MiB value with its key.
   */
  maxOpBytes: 640 * MiB,
  /** Largest frame: an op as above to which one last command added a 512 MiB value that was not in its request (COPY). */
  maxFrameBytes: 1280 * MiB,
  /** Databases reachable by SELECT when nothing is configured. */
  defaultDatabases: 16,
  maxDatabases: 256,
  /** Least milliseconds from one continuous sync of the log to the next; see GroupCommit. */
  syncPauseMs: 2,
  /** A sync that takes longer is said in the log and counted (aof_delayed_fsync): `everysec` then no longer means a second. */
  slowSyncMs: 1000,
  /** Between two warnings in the log that the disk is slow. */
  slowDiskWarningMs: 30_000,
  /** A log segment is closed when it passes this size. */
  segmentBytes: 256 * MiB,
  /** Members in one mesh. Ids go to 255 and are never reused; this bounds links and contexts. */
  maxMembers: 64,
  /** Frames kept in memory for peers that are nearly up to date; older ones are read from the log. */
  recentFrameBytes: 16 * MiB,
  /** Bytes a receiver lets a sender have in flight per subscribed origin. At the bound the sender waits. */
  subscriptionCreditBytes: 4 * MiB,
  /** Largest piece of a frame in one link message. A 1 GiB frame goes in 4096 pieces, so a heartbeat waits for one piece at most. */
  linkPieceBytes: 256 * KiB,
  /** Largest link message: one piece and its header. Beyond: the link is closed with MRD_PEER_PROTOCOL. */
  linkMessageBytes: 256 * KiB + 64,
  /** Largest message before the other side has said HELLO. Beyond: the link is closed. */
  linkHelloBytes: 1 * KiB,
  /** Bytes queued on one link above which no further frame is sent; control messages stop at twice that. A slow peer costs no more. */
  linkBufferedBytes: 1 * MiB,
  /** Answers to what the other side asks are queued up to here; a peer that asks on and on and does not read loses the link: MRD_PEER_PROTOCOL. */
  linkAnswerBytes: 4 * MiB,
  /** The same for messages of PUBLISH: a quarter, so that they do not hold up frames; what is above it waits in publicationBytes. */
  linkPublicationBytes: 256 * KiB,
  /** Messages of PUBLISH that wait for room on one link, 64 bytes each added. Beyond: the oldest are dropped and counted in INFO. */
  publicationBytes: 4 * MiB,
  /** Bytes read from all links in one turn of the event loop, before the rest waits for the next: about 0.7 ms with decrypting and checksums. */
  linkTurnBytes: 256 * KiB,
  /** Frame bytes sent on one link in one turn of the event loop, or read for that; then others get their turn. About 0.5 ms with encrypting. */
  sendTurnBytes: 256 * KiB,
  /** Frame bytes applied in one turn, and what that may take (at least one frame). 128 KiB apply in about 4 ms, the first ones in several times that. */
  applyTurnBytes: 128 * KiB,
  applyTurnMs: 3,
  /** Inbound links that have not said HELLO yet: two per member. Beyond: the new link is closed. */
  pendingInboundLinks: 128,
  /** Earlier incarnations remembered per peer, to notice two processes with one identity. The oldest is forgotten. */
  supersededIncarnations: 16,
  /** Unstable edits of one string may take this much and twice its length; beyond, the writer ships the whole value instead. */
  minUnstableEditBytes: 4 * KiB,
  /** Log files are read in blocks of this size at recovery; a frame beyond it gets a block of its own size while it is read. */
  logReadBlockBytes: 1 * MiB,
  /** The same for each cursor that reads old frames for a peer: 64 members cost at most 16 MiB. */
  cursorBlockBytes: 256 * KiB,
  /** What a frame kept in memory costs beside its bytes (its JavaScript objects), counted against recentFrameBytes. */
  recentFrameOverheadBytes: 256,
  /**
   * A full segment is closed when at most this much of it awaits a sync, because closing waits for that sync (1 MiB: about a
   * millisecond on an SSD). If it never gets that low, closing waits anyway when the segment is four times its size.
   */
  segmentCloseSyncBytes: 256 * KiB,
  /** Frames that the disk refused and that wait in memory. One more is refused with the disk's error when this is exceeded. */
  pendingFrameBytes: 64 * MiB,
  /** Writes are refused when the disk has less room than this; what was accepted before still fits. */
  minFreeBytes: 64 * MiB,
  /** A snapshot may go below that, to this part of it: 16 MiB, which end the snapshot and take what was accepted. */
  snapshotReserveShare: 4,
  /** Records of a section of a snapshot: written in about 0.3 ms, and the least that is read, checked and sent as a whole. */
  snapshotSectionBytes: 256 * KiB,
  /** Of a backup: bytes of one piece, read from the disk at one go; backups at a time, each of which keeps its files open; and for how long one that nobody asks for anything. */
  backupPieceBytes: 256 * KiB,
  backups: 4,
  backupIdleMs: 60_000,
  /** What writing a snapshot takes of a turn, beside the section that it ends with. Under load a sixth of the time. */
  snapshotTurnMs: 1,
  /** A snapshot's file is synced whenever so much of it is not, and writing waits for that sync when it is this far ahead of it. */
  snapshotSyncBytes: 8 * MiB,
  snapshotUnsyncedBytes: 32 * MiB,
  /** Bytes of a snapshot on their way to a member that takes it. With the section that the sender holds, all that a transfer takes of memory. */
  transferCreditBytes: 4 * MiB,
  /** Shards of a snapshot asked for at once, so that the sender never waits for the next question. Beyond: MRD_PEER_PROTOCOL. */
  transferShards: 16,
  /** Bytes of a snapshot read and sent in one turn of the event loop (about 1 ms), and taken in by the other side (about 2 ms). */
  transferTurnBytes: 256 * KiB,
  transferIntakeBytes: 128 * KiB,
  /** What is believed of an offer: a snapshot's header, and 28 bytes for each of 1,032 shards of 256 databases. */
  transferOfferBytes: 9 * MiB,
  /** List of digests of a shard, 12 bytes a key: 87,000 keys. Of a larger shard all keys are asked for. */
  transferDigestBytes: 1 * MiB,
  /** Keys dropped in one turn to make room for a snapshot: about 1 ms. */
  transferDrops: 1000,
  /** Keys looked at in one turn for those that the other side does not have: about 1 ms. */
  transferLooks: 4000,
  /**
   * What repl-backlog-size is when nothing is configured: four segments, some ten million small writes. A member that was away longer than that takes a
   * snapshot, which is less to send by then unless there is much data. Kept only while somebody is away.
   */
  defaultBacklogBytes: 1024 * MiB,
  /** Free room is looked up when this much was appended, and once a second. */
  freeCheckBytes: 16 * MiB,
  /** First and longest pause between attempts to write what the disk refused. */
  diskRetryMinMs: 100,
  diskRetryMaxMs: 5_000,
  /**
   * Bytes summed while looking for a whole frame behind a damaged one (about 2 s). Data made to look like frames could make
   * that search quadratic; at the bound the file counts as damaged, so nothing is cut.
   */
  damageSearchBytes: 4096 * MiB,
  /** Longest password in a configuration file or CONFIG SET: it is hashed on every AUTH. Beyond: the value is refused. */
  maxPasswordBytes: 1024,
  /** Largest configuration file that is read: a full one of 64 members is about 16 KiB. Beyond: refused unread. */
  maxConfigFileBytes: 1024 * KiB,
  /** Bytes read from a client socket at a time, into one buffer shared by all; about 1,000 small commands. */
  readBufferBytes: 64 * KiB,
  /** Bytes read from all clients that bring much, in one turn of the event loop, before their rest waits for the next: about 1.4 ms with copying and decoding. */
  clientTurnInputBytes: 512 * KiB,
  /** What a socket gives at a time is much from here on: a record of TLS that is full. Pipelines of small commands stay below. */
  muchInputBytes: 16 * KiB,
  /** Arguments of one command that are decoded between two looks at the clock: some 50 us, ten times that where the code has not run before. */
  decodedArguments: 1024,
  /** Time that one client's pipeline may take of a turn. Then the others come first and it goes on in the next turn. */
  clientTurnMs: 1,
  /** Milliseconds after which a turn sends the replies that are ready and goes on. */
  turnMs: 2,
  /** Waiting replies of one client that are given to its socket in one turn: about 0.5 ms. */
  clientTurnOutputBytes: 1 * MiB,
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
  /** Keys that an expiry cycle looks at: about 0.8 ms ten times a second, so a million expiring keys are walked in 12 s. The walk goes on. */
  expiryCycleLooks: 8192,
  /** Keys, and fields, that an expiry cycle removes: about 1.6 ms. The next cycle follows after whatever else waits. */
  expiryCycleRemovals: 1000,
  /** What a cycle takes of a turn at most, keys and fields together: the above takes five times as long where the code has not run before. */
  expiryTurnMs: 2,
  /** Fields of a hash that go in one effect: some 0.2 ms, also for those who apply it. */
  expiryEffectFields: 128,
  /** Overdue by this much, a key or field is removed by any member: the owner of its expiry cannot be reached. */
  expiryTakeoverMs: 10_000,
  /** Due keys that one command or transaction comes upon and has removed at once; further ones are left to the cycle. */
  expirySeenKeys: 16,
  /**
   * Part of maxmemory that writes of other members may take above it before everything is done to get rid of it: an eighth. It holds what is on its way when
   * members come to their bounds together: 15 others that write 20,000 values of 200 bytes a second send 60 MB a second, so with 4 GiB it lasts for
   * 8 s, and an excess is evicted by the share of each of 16 members, ten times a second, in some 20 s, most of it in the first 5. Beyond: see MemoryBound.
   */
  memoryReserveShare: 8,
  /** What a member evicts at least of an excess that remote writes have brought, at a time: the last bit is not worth sharing. */
  evictionLeastShareBytes: 4 * KiB,
  /** The longest that evictions go on at a stretch, and those before the commands of one turn together. Then it goes on in the background. */
  evictionSliceMs: 5,
  evictionTurnMs: 5,
  /** Keys evicted at a stretch: about 5 ms. */
  evictionSliceKeys: 1000,
  /** Most that maxmemory-samples may be set to: some 10 us an eviction. Redis' bound since 8.0. */
  evictionSamples: 64,
  /** Candidates for eviction that are kept from draw to draw; Redis' number. */
  evictionPoolKeys: 16,
  /** Draws (or fillings of the pool) for one eviction. When all were unlucky there is next to nothing that may go. */
  evictionAttempts: 64,
  /** Clients whose memory is summed up each tenth of a second, about 0.1 ms; with more of them it is done less often. */
  memoryClientLooks: 1000,
  /** Between two warnings of one kind in the log that memory is short. */
  memoryWarningMs: 60_000,
  /** Keys that one blocking command may wait for: about 8 MiB. Beyond: refused. */
  blockingKeys: 65_536,
  /** The same for all clients together, a key counting once for each client: about 200 MiB. Beyond: the command is refused. */
  blockedEntries: 1_000_000,
  /** Blocked commands that are tried again in one go, about 1 ms. The rest follows in the next turn. */
  blockedTries: 512,
  /**
   * Levels of a list element's position, 24 bytes each. Random insertions take some twenty; only insertions that go on halving one gap between two
   * elements take more. Where it would be exceeded, LINSERT writes the list anew.
   */
  listPositionLevels: 64,
  /** The fieldsets of one connection, HIMPORT PREPARE: 100,000 fields of 150 bytes. Beyond: it is refused. */
  fieldsetBytes: 16 * MiB,
  /** A read of more elements than this goes in slices: they take some 3 ms. */
  slicedReadElements: 10_000,
  /** Elements in one step of such a read, between two looks at the clock: some 20 us. */
  slicedReadStep: 64,
  /** The same where each step finds its place by a search: some 50 us. */
  slicedReadSeek: 512,
  /** What such reads may take of a turn, all together; a read that had to start again takes as many times more. */
  slicedReadTurnMs: 1,
  /** Reads that have a part of their reply at the same time. Further ones wait to be started. */
  slicedReadsAtOnce: 8,
  /** Starts of such a read, because its keys changed meanwhile, after which it goes to its end in one go. */
  slicedReadStarts: 4,
  /** Times, one a second, that tidying up a collection is put off because it is being read in slices. Then the reads start again. */
  heldSettlings: 64,
  /** A write of more elements than this goes in slices: writing them takes some 5 ms. */
  slicedWriteElements: 2000,
  /** EXEC of more commands than this goes in slices: such a command takes 1 to 2 us, some 20 while its code is new. */
  slicedTransactionCommands: 500,
  /** Commands that it runs before it looks at the clock. */
  slicedTransactionStep: 16,
  /** A frame of another member that is larger is applied in slices: it takes some 4 ms. */
  slicedFrameBytes: 128 * KiB,
  /** So is a frame of one op with more effects: the ranges of LTRIM of a million elements take 5 KiB, and 17 ms. */
  slicedFrameEffects: 64,
  /** Bytes of such a frame that are applied in one step, between two looks at the clock: some 50 keys, 0.05 ms. One effect on a collection is a step of its own. */
  slicedFrameStepBytes: 2 * KiB,
  /** A frame that is appended in pieces is so by this much: some 0.2 ms each. */
  logPieceBytes: 256 * KiB,
  /**
   * What all work in slices may take of a turn together, after which each has but the least: reads and writes in slices, frames of other members, expiry,
   * tidying up, a snapshot, a digest. All seven at once take 3 + 6 x 0.5 = 6 ms, and what a step of each takes beyond.
   */
  turnWorkMs: 3,
  turnLeastWorkMs: 0.5,
  /** What writes and frames in slices may take of a turn. */
  slicedWriteTurnMs: 1,
  /** What MIGRATE has on its way to another server before it makes more; one larger value goes alone. A reply of that server is a line, at most so long. */
  migrateBufferBytes: 1 * MiB,
  migrateReplyBytes: 64 * KiB,
  /** Times that MIGRATE sends keys which change meanwhile. Then it leaves them here, and says so. */
  migrateRounds: 4,
  /** Keys of one such frame that are held one by one; one that has more holds the databases that they are in. */
  heldKeys: 10_000,
  /** Commands run in a turn of those that had waited for such a write: about 1 ms. */
  releasedCommands: 256,
  /** Keys, values and 64 bytes a key that SWAPDB may have to write anew: 250,000 small keys, about 0.3 s. Beyond: refused. */
  swapDatabaseBytes: 16 * MiB,
  /**
   * Keys of a command, or of a transaction and its commands together, that are looked at to see whether it must wait for such a write: some 1 ms. One of more
   * waits whatever they are.
   */
  heldKeyLooks: 2000,
  /** Elements of a removed collection that are freed with it; what is larger goes in slices. */
  reclaimAtOnce: 256,
  /** Elements of a slice, some 0.01 ms, and a hundred times that where the code has not run before; what a turn may take for them, and such slices at most. */
  reclaimSlice: 256,
  reclaimTurnMs: 0.25,
  reclaimTurnSlices: 8,
  /**
   * Elements of a collection in one effect when many are written (COPY, RENAME, RESTORE), and bytes of them: an effect is applied in one go, some 0.3 ms,
   * and ten times that where the code has not run before.
   */
  copyEffectElements: 128,
  copyEffectBytes: 16 * KiB,
  /**
   * Where packed collections end, whatever the settings of the *-max-listpack-* kind allow: a packed one is searched from its front, so a command that
   * writes all of 1,024 elements makes some 500,000 comparisons of lengths, about 2 ms. The length of a key stands in 7 bits. A block is 270 KiB at most.
   */
  packedElements: 1024,
  packedElementBytes: 127,
  /** Elements that CRDT.DEBUG shows of a collection. */
  debugElements: 256,
  /** Most that hll-sparse-max-bytes may be set to: a dense HyperLogLog takes 12 KiB, and what is longer is slow to add to. */
  hllSparseBytes: 16 * KiB,
  /** Records that RANDOMKEY looks through after as many unlucky draws as Redis allows; then it answers nil. */
  randomKeyLooks: 16_384,
  /** Elements that HRANDFIELD and SRANDMEMBER return with repetitions: a reply of some 64 MiB. Beyond: out of range. */
  randomRepetitions: 4_194_304,
  /** Kinds of error codes counted apart for INFO errorstats (Redis: 128). Further ones count in the total only. */
  errorKinds: 128,
  /** Percentiles of each command in INFO latencystats: with all commands some 200 KiB. */
  latencyPercentiles: 32,
  /** Samples kept of each event of LATENCY; Redis' number. The oldest is dropped. */
  latencySamples: 160,
  /** What a slow-log entry keeps of a command: arguments, and bytes of each; Redis' numbers. */
  /** Most that slowlog-max-len may be set to: about 4 KiB an entry. */
  slowLogEntries: 10_000,
  slowLogArguments: 32,
  slowLogArgumentBytes: 128,
  /** Bytes of arguments that MONITOR shows of one command; a monitor is sent at most four times as many. */
  monitorLineBytes: 64 * KiB,
  /** Largest piece of a large collection in one record of a snapshot, or one element: written in some 0.3 ms. */
  stateRecordBytes: 64 * KiB,
  /** Bytes of keys, values and elements digested between two looks at the clock: some 5 us, but thirty times that while the code is new; what a digest takes of a turn, and such steps at most. */
  digestStepBytes: 1 * KiB,
  digestTurnMs: 1,
  digestTurnSteps: 256,
  /** What tidying up waits for one attempt of CRDT.DIGEST: some 100 million small keys where nobody else wants the processor. */
  heldSettlingMs: 60_000,
  /** Times that CRDT.DIGEST begins anew because data changed under it; then it answers TRYAGAIN. */
  digestAttempts: 8,
  /**
   * Entries of a stream in a payload, and its groups, consumers and pending entries together (a pending one counts twice): each is objects of
   * some hundred bytes while it is read. Beyond: "Bad data format".
   */
  payloadStreamEntries: 1_000_000,
  /**
   * Largest key with its value in an RDB file that is read: a 512 MiB value, which is all that RESTORE takes, with its key. The reader holds it, and for a moment
   * twice while it grows. Beyond: MRD_RDB_UNSUPPORTED.
   */
  rdbItemBytes: 640 * MiB,
  /** What import and export have on its way to a server before they wait: some 50,000 small keys, 0.5 s. One larger value goes alone. */
  bulkInFlightBytes: 8 * MiB,
  /** Largest collection that import and export move by one DUMP or RESTORE: some 10,000 small elements, 10 ms of a member's time. */
  dumpAtOnceBytes: 128 * KiB,
  /** What a live import has received and not yet written, in memory; the rest goes to a file. */
  spoolMemoryBytes: 4 * MiB,
  /** Bytes read from that file at once. */
  spoolPieceBytes: 256 * KiB,
  /** Largest such file unless told otherwise. Beyond: the source is not read, and may drop the link. */
  spoolFileBytes: 16 * 1024 * MiB,
  /** Differences that a comparison lists; the others are counted. */
  listedDifferences: 20,
  /** Keys that are compared after an import when not all are asked for. */
  comparedSample: 1000,
} as const
