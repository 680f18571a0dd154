import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Socket } from 'node:net'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Logger } from '../ports/logger.js'

/** PEM texts. */
export interface ServerCertificate {
  /** The server's certificate, followed by intermediate ones. */
  readonly certificate: string
  readonly privateKey: string
  /** Authorities that client certificates must come from. */
  readonly clientAuthorities?: string
}

export interface TlsSettings extends ServerCertificate {
  readonly port: number
  /** Whether clients must show a certificate, may (then it must be valid), or are not asked. Redis' tls-auth-clients. */
  readonly clientCertificates: 'required' | 'optional' | 'no'
}

function contextOptions(certificate: ServerCertificate): TlsOptions {
  return {
    cert: certificate.certificate,
    key: certificate.privateKey,
    ...(certificate.clientAuthorities === undefined ? {} : { ca: certificate.clientAuthorities }),
    minVersion: 'TLSv1.2',
  }
}

function certificateError(error: unknown): MeridianError {
  return new MeridianError(
    'MRD_CERTIFICATE',
    `The certificate or key for clients cannot be used: ${(error as Error).message}`,
    'Check that the files are PEM, that the key belongs to the certificate, and that the authorities are certificates.',
    { cause: error },
  )
}

/** Makes a listening server whose onClient gets sockets that have finished the handshake and may come in. */
export function makeTlsServer(settings: TlsSettings, logger: Logger, onClient: (socket: TLSSocket) => void): Server {
  const ask = settings.clientCertificates !== 'no'
  if (ask && settings.clientAuthorities === undefined) {
    throw new MeridianError(
      'MRD_CERTIFICATE',
      'Client certificates are to be checked but no authority is given',
      'Name the file of the authorities that sign client certificates, or switch the check off.',
    )
  }
  const options: TlsOptions = {
    ...contextOptions(settings),
    allowHalfOpen: true,
    noDelay: true,
    requestCert: ask,
    rejectUnauthorized: settings.clientCertificates === 'required',
    handshakeTimeout: LIMITS.handshakeMs,
  }
  let server: Server
  try {
    server = createServer(options)
  } catch (error) {
    throw certificateError(error)
  }
  // Every connection ends its handshake in exactly one of secureConnection and tlsClientError.
  let pending = 0
  server.on('connection', (raw: Socket) => {
    pending++
    if (pending > LIMITS.pendingHandshakes) raw.destroy()
  })
  server.on('secureConnection', (socket) => {
    pending--
    // With 'optional' Node lets an invalid certificate in; none at all is fine, a wrong one is not.
    if (ask && !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) {
      logger.debug({ address: socket.remoteAddress, error: String(socket.authorizationError) }, 'client certificate refused')
      socket.destroy()
      return
    }
    onClient(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    pending--
    logger.debug({ address: socket.remoteAddress, error: error.message }, 'TLS handshake with a client failed')
    socket.destroy()
  })
  return server
}

/**
 * New connections use the new certificate, present ones stay as they are.
 * @throws MeridianError MRD_CERTIFICATE; then the old certificate stays in use.
 */
export function replaceCertificate(servers: readonly Server[], certificate: ServerCertificate): void {
  try {
    for (const server of servers) server.setSecureContext(contextOptions(certificate))
  } catch (error) {
    throw certificateError(error)
  }
}
