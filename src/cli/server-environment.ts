/** glibc 2.35 and later ask the kernel for huge pages where an allocation is large enough; other C libraries, and older ones, ignore it. */
const TUNABLE = 'glibc.malloc.hugetlb'
const HUGE_PAGES = `${TUNABLE}=1`

/**
 * The environment that a server is to be started in: its data lie in blocks of megabytes that are read at random, and with pages of 4 KiB the processor
 * looks for the pages longer than it reads (docs/benchmarks.md has what it saves). Nothing inside the process can ask for that. What the operator has
 * said about it stays.
 */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = env.GLIBC_TUNABLES
  if (given?.includes(`${TUNABLE}=`) === true) return env
  return { ...env, GLIBC_TUNABLES: given === undefined || given === '' ? HUGE_PAGES : `${given}:${HUGE_PAGES}` }
}
