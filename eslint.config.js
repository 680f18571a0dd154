import tseslint from 'typescript-eslint'

/** Folders that run under the simulator: everything they know of the world comes in through the ports. */
const CORE = ['base', 'ports', 'memory', 'crdt', 'topology', 'keyspace', 'resp', 'commands', 'engine', 'oplog', 'peer-sync']
const ASK_THE_CLOCK = 'The core is deterministic: ask the Clock port.'

export default tseslint.config(
  { ignores: ['dist/', 'dist-test/', 'coverage/', '.meridian/', 'node_modules/'] },
  { files: ['**/*.{js,mjs}'], extends: [tseslint.configs.base] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', '*.config.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      // A constructor may be there for its documentation, or to narrow the base's parameters.
      '@typescript-eslint/no-useless-constructor': 'off',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Indexing is unchecked (typed arrays everywhere), so the types say "never undefined" where a check is right.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Brands make ids of numbers; comparing them with numbers is what they are for.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  {
    files: CORE.map((folder) => `src/${folder}/**/*.ts`),
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^node:(?!buffer$|zlib$)',
              message:
                'The core is deterministic: the world comes in through src/ports. Only node:buffer and node:zlib are free.',
            },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'Date', message: ASK_THE_CLOCK },
        { name: 'performance', message: ASK_THE_CLOCK },
        { name: 'setTimeout', message: ASK_THE_CLOCK },
        { name: 'setInterval', message: ASK_THE_CLOCK },
        { name: 'setImmediate', message: ASK_THE_CLOCK },
        { name: 'queueMicrotask', message: ASK_THE_CLOCK },
        { name: 'crypto', message: 'The core is deterministic: ask the Random port.' },
        { name: 'process', message: 'The core does not know its process.' },
        { name: 'fetch', message: 'The core does not know the network.' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'The core is deterministic: ask the Random port.' },
        { object: 'globalThis', property: 'Date', message: ASK_THE_CLOCK },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // expect.any() and its like are typed as any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
)
