import { spawn, type ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'

/**
 * Kills the children of this process when it ends, in whatever way, kill -9 included: a shell that hears which children run over a pipe and
 * kills those that are left when the pipe closes. In a process group of its own, so that Ctrl-C does not end it first.
 */
const SCRIPT = `
pids=' '
while read -r verb pid; do
  case $verb in
    add) pids="$pids$pid " ;;
    del) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done`

let reaper: ChildProcess | null = null

export function killWithUs(pid: number): void {
  tell(`add ${pid}`)
}

/** It has ended: its number may soon be another's. */
export function hasEnded(pid: number): void {
  tell(`del ${pid}`)
}

function tell(line: string): void {
  if (reaper === null) {
    reaper = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    reaper.unref()
    // A pipe of a child keeps this process alive unless it is told not to.
    const { stdin } = reaper
    if (stdin instanceof Socket) stdin.unref()
  }
  reaper.stdin?.write(`${line}\n`)
}
