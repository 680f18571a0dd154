import { BITMAP_COMMANDS } from './bitmap/bitmap-commands.js'
import type { CommandSpec } from './command-spec.js'
import { GEO_COMMANDS } from './geo/geo-commands.js'
import { GENERIC_COMMANDS } from './generic/generic-commands.js'
import { HYPERLOGLOG_COMMANDS } from './hyperloglog/hyperloglog-commands.js'
import { CONNECTION_COMMANDS } from './connection/connection-commands.js'
import { CRDT_COMMANDS } from './crdt/crdt-commands.js'
import { LIST_COMMANDS } from './list/list-commands.js'
import { PUBLISH_COMMANDS } from './pubsub/publish-commands.js'
import { SUBSCRIBE_COMMANDS } from './pubsub/subscribe-commands.js'
import { HASH_COMMANDS } from './hash/hash-commands.js'
import { SERVER_COMMANDS } from './server/server-commands.js'
import { SET_COMMANDS } from './set/set-commands.js'
import { SORTED_SET_COMMANDS } from './sorted-set/sorted-set-commands.js'
import { STREAM_COMMANDS } from './stream/stream-commands.js'
import { STRING_COMMANDS } from './string/string-commands.js'
import { TRANSACTION_COMMANDS } from './transactions/transaction-commands.js'

/** Every command that this server has. A family adds its list here. */
export const ALL_COMMANDS: readonly CommandSpec[] = [
  ...TRANSACTION_COMMANDS,
  ...STRING_COMMANDS,
  ...STREAM_COMMANDS,
  ...BITMAP_COMMANDS,
  ...HASH_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...GEO_COMMANDS,
  ...HYPERLOGLOG_COMMANDS,
  ...LIST_COMMANDS,
  ...GENERIC_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...SUBSCRIBE_COMMANDS,
  ...PUBLISH_COMMANDS,
  ...SERVER_COMMANDS,
  ...CRDT_COMMANDS,
]
