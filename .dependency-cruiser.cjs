/**
 * Import directions: docs/ARCHITECTURE.md has the table. What a folder may import is listed; everything else fails.
 * Node's own modules in the core are checked by ESLint, which can name the reason.
 */
const MAY_IMPORT = {
  base: [],
  ports: ['base'],
  memory: ['base'],
  crdt: ['base', 'memory'],
  topology: ['base', 'crdt'],
  keyspace: ['base', 'memory', 'crdt', 'rdb', 'topology'],
  resp: ['base'],
  rdb: ['base'],
  // Of the ports it is the clock: commands that wait set timers.
  commands: ['base', 'ports', 'memory', 'crdt', 'keyspace', 'topology', 'resp', 'rdb'],
  // The engine appends to the log through its interface; the log itself is below it.
  engine: ['base', 'ports', 'memory', 'crdt', 'keyspace', 'resp', 'commands', 'topology', 'oplog/op-log.ts'],
  oplog: ['base', 'ports', 'crdt'],
  'peer-sync': ['base', 'ports', 'crdt', 'oplog', 'topology'],
  server: ['base', 'ports', 'resp', 'engine'],
  admin: ['base', 'ports'],
  platform: ['base', 'ports'],
  config: ['base'],
  node: [
    'base',
    'ports',
    'memory',
    'crdt',
    'keyspace',
    'topology',
    'resp',
    'commands',
    'engine',
    'oplog',
    'peer-sync',
    'server',
    'admin',
    'platform',
    'config',
  ],
  // Of the data formats, those of files and requests: import and export.
  cli: ['base', 'config', 'node', 'rdb', 'resp'],
}

module.exports = {
  forbidden: [
    ...Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      comment: `src/${folder} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other folder'}.`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: [folder, ...allowed].map((part) => `^src/${part}${part.endsWith('.ts') ? '$' : '/'}`) },
    })),
    {
      name: 'known-folder',
      comment: 'A new folder under src needs a line in the table of import directions.',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${Object.keys(MAY_IMPORT).join('|')})/` },
      to: {},
    },
    {
      name: 'no-cycles',
      comment: 'Types may refer to each other (a command and what its handler is given); modules that run may not.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-test-code-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
    {
      name: 'only-declared-packages',
      comment: 'The server runs with dependencies alone: no development package, nothing that is not in package.json.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
