import { KeyType } from '../../keyspace/database.js'
import { blockingTimeout } from '../blocking-timeout.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { countedKeys, NUMKEYS, rootForWrite, SOME_KEYS } from './arguments.js'
import { multiPop, parseMultiPop, POP_COUNT, popMembers, WHERE } from './pop-commands.js'

/** Pops that wait until there is something. See Call.blockOn. */
function popping(max: boolean): (call: Call) => void {
  const tryPop = (call: Call): boolean => {
    for (let key = 1; key < call.argc - 1; key++) {
      const root = rootForWrite(call, key)
      if (root === 0) continue
      const { buf, off, len } = call.request
      call.reply.array(3)
      call.reply.bulk(buf, off[key], len[key])
      popMembers(call, key, root, max, 1, false)
      return true
    }
    return false
  }
  return (call) => {
    const timeoutMs = blockingTimeout(call, call.argc - 1)
    if (tryPop(call)) return
    call.blockOn({ firstKey: 1, keyCount: call.argc - 2, type: KeyType.zset, timeoutMs, retry: tryPop })
  }
}

function bzmpop(call: Call): void {
  const pop = parseMultiPop(call, 2)
  const timeoutMs = blockingTimeout(call, 1)
  if (multiPop(call, pop)) return
  const { firstKey, keys } = pop
  call.blockOn({ firstKey, keyCount: keys, type: KeyType.zset, timeoutMs, retry: (again) => multiPop(again, pop) })
}

const TIMEOUT: ArgumentSpec = { name: 'timeout', type: 'double' }

function popSpec(name: string, summary: string, max: boolean): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'blocking', 'fast'],
    keys: keyRange(1, -2, 1, 'RW', 'access', 'delete'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '5.0.0',
    summary,
    complexity: 'O(log(N)), N being the number of members in the sorted set',
    history: [['6.0.0', 'The timeout may have a fraction.']],
    arguments: [SOME_KEYS, TIMEOUT],
    handler: popping(max),
  }
}

export const BLOCKING_COMMANDS: readonly CommandSpec[] = [
  popSpec(
    'bzpopmin',
    'Takes the member with the lowest score off the first sorted set that exists; waits for one if need be.',
    false,
  ),
  popSpec(
    'bzpopmax',
    'Takes the member with the highest score off the first sorted set that exists; waits for one if need be.',
    true,
  ),
  {
    name: 'bzmpop',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: [countedKeys(2, 'RW', 'access', 'delete')],
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '7.0.0',
    summary: 'Takes members with the lowest or highest scores off the first sorted set that exists; waits for one if need be.',
    complexity: 'O(K) + O(M*log(N)), K being the number of keys, N that of members in the sorted set and M that of those popped',
    arguments: [TIMEOUT, NUMKEYS, SOME_KEYS, WHERE, POP_COUNT],
    handler: bzmpop,
  },
]
