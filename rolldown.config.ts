import { defineConfig, type Plugin } from 'rolldown'

/**
 * A single character beyond Latin-1, such as an ellipsis in a message, makes V8 hold all of the source in two bytes a character, and read it so whenever it compiles a function that is
 * called for the first time, which clients wait for. Those that stand in texts and regular expressions are written as escapes.
 */
const ascii: Plugin = {
  name: 'ascii',
  generateBundle: (_, files) => {
    for (const file of Object.values(files))
      if (file.type === 'chunk')
        file.code = file.code.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  },
}

/**
 * The program as few files, for speed: V8 folds what a module declares with `const` into the code that it optimises, but looks up and checks what comes from another
 * module, or goes to one, each time (docs/decisions/0041). So all of it is one module, but for its beginning, which
 * waits for the rest, and what makes certificates, which takes long to load.
 */
export default defineConfig({
  input: 'src/cli/main.ts',
  platform: 'node',
  // Packages are loaded from node_modules.
  external: /^(?!\.|\/)/,
  tsconfig: 'tsconfig.json',
  output: {
    // As deep as src/cli: package.json and the samples are found from both.
    dir: 'dist/meridian',
    cleanDir: true,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    comments: { jsdoc: false },
    plugins: [ascii],
    codeSplitting: { groups: [{ name: 'meridian', test: /\/src\/(?!cli\/(main|certificates)\.)/ }] },
  },
})
