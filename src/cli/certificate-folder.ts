import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { MeridianError } from '../base/errors.js'
import type { PemPair } from './certificates.js'

const KEY_MODE = 0o600
const CERTIFICATE_MODE = 0o644

/** Name of the authority's files, `ca.crt` and `ca.key`; no member may have it. */
export const AUTHORITY_NAME = 'ca'

/** A folder with `ca.crt`, `ca.key` and a `<member>.crt`, `<member>.key` each. */
export class CertificateFolder {
  constructor(readonly folder: string) {}

  certificateFile(name: string): string {
    return join(this.folder, `${name}.crt`)
  }

  keyFile(name: string): string {
    return join(this.folder, `${name}.key`)
  }

  has(name: string): boolean {
    return existsSync(this.certificateFile(name)) || existsSync(this.keyFile(name))
  }

  /** Files of certificates, sorted, the authority first. */
  certificateFiles(): string[] {
    const names = existsSync(this.folder) ? readdirSync(this.folder).filter((file) => file.endsWith('.crt')) : []
    const authority = `${AUTHORITY_NAME}.crt`
    names.sort((a, b) => Number(b === authority) - Number(a === authority) || a.localeCompare(b))
    return names.map((name) => join(this.folder, name))
  }

  /** @throws MeridianError MRD_CERTIFICATE when either file is missing or unreadable. */
  read(name: string): PemPair {
    return { certificate: readPem(this.certificateFile(name)), key: readPem(this.keyFile(name)) }
  }

  /** Writes key and certificate. @throws MeridianError MRD_FILE_EXISTS unless told to replace. */
  write(name: string, pair: PemPair, replace: boolean): void {
    if (!replace && this.has(name)) {
      const file = existsSync(this.certificateFile(name)) ? this.certificateFile(name) : this.keyFile(name)
      throw new MeridianError('MRD_FILE_EXISTS', `${file} exists`, 'Use --force to replace it, or --if-missing to keep it.')
    }
    try {
      mkdirSync(this.folder, { recursive: true })
      writeAside(this.keyFile(name), pair.key, KEY_MODE)
      writeAside(this.certificateFile(name), pair.certificate, CERTIFICATE_MODE)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new MeridianError(
        'MRD_CERTIFICATE',
        `Certificates cannot be written: ${reason}`,
        'Choose a folder that can be written.',
        {
          cause: error,
        },
      )
    }
  }
}

/** @throws MeridianError MRD_CERTIFICATE */
export function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError(
      'MRD_CERTIFICATE',
      `${file} cannot be read: ${reason}`,
      'Check the path, or make it with `meridian certs`.',
      {
        cause: error,
      },
    )
  }
}

/** The key never exists with wider permissions than it shall have, not even for a moment. */
function writeAside(file: string, text: string, mode: number): void {
  const aside = `${file}.tmp-${process.pid}`
  rmSync(aside, { force: true })
  const descriptor = openSync(aside, 'wx', mode)
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(aside, file)
}
