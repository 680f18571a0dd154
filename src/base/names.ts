/** What names, labels and addresses may look like, in the configuration and in commands. */

/** Names of members and clusters: certificates carry them as DNS labels. */
export const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** Regions and zones. */
export const PLACE_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})$/
export const HOST = /^[A-Za-z0-9._:%-]{1,255}$/

/** `host:port` or `[::1]:port`; null when it is not that. */
export function parseHostPort(text: string): { host: string; port: number } | null {
  const match = /^(\[[0-9a-fA-F:.%]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const host = match[1].replace(/^\[|\]$/g, '')
  const port = Number(match[2])
  return HOST.test(host) && port >= 1 && port <= 65_535 ? { host, port } : null
}

export function formatHostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
