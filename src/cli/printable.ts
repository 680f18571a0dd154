/** A key in quotes, with what cannot be printed as \xNN, and cut when it is long. */
export function printable(key: Uint8Array): string {
  const shown = Buffer.from(key.subarray(0, 64)).toString('latin1')
  const escaped = shown.replace(/[\x00-\x1f"\\\x7f-\xff]/g, (c) =>
    c === '"' || c === '\\' ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `"${escaped}"${key.length > 64 ? '…' : ''}`
}
