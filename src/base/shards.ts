/**
 * Shards of a database, each a run of hash slots with a dictionary of its own. SCAN walks them one after the other, and its cursor modulo this is the shard
 * that comes next: so who reads a database by SCAN can forget the names of one shard before the next, and still know a key that it is given twice.
 */
export const SHARD_COUNT = 1024
