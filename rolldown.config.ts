import { defineConfig } from 'rolldown'

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
    codeSplitting: { groups: [{ name: 'meridian', test: /\/src\/(?!cli\/(main|certificates)\.)/ }] },
  },
})
