import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { collect, integerArgument } from './argument.js'
import { AUTHORITY_NAME, CertificateFolder, readPem } from './certificate-folder.js'
import { printLine, type CliContext } from './context.js'

const EXAMPLES = `
Members trust each other by certificates of one authority, the cluster's own. Its key (ca.key) is needed to issue, never to run:
keep it off the members' machines.

Examples:
  $ meridian certs init --cluster-id shop --dir certs
  $ meridian certs issue us eu ap --dir certs
  $ meridian certs issue us --dir certs --host us.example.net --host 10.1.0.5 --force    names for clients' TLS; replaces
  $ meridian certs show --dir certs`

/** Ten years: replacing an authority touches every member. */
const AUTHORITY_DAYS = 3650
const MEMBER_DAYS = 365
const MAX_DAYS = 36_500

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const HOST = /^[A-Za-z0-9.:*-]{1,253}$/

interface WriteOptions {
  dir: string
  days: number
  force?: boolean
  ifMissing?: boolean
}

export function addCertsCommand(program: Command, context: CliContext): void {
  const certs = program.command('certs').description("make and show the cluster's certificates").addHelpText('after', EXAMPLES)
  certs
    .command('init')
    .description('make the authority of a new cluster: ca.crt and ca.key')
    .requiredOption('--cluster-id <id>', 'the cluster, as in cluster.id of the configuration')
    .option('--dir <folder>', 'where certificates are kept', 'certs')
    .option('--days <days>', 'valid for this long', integerArgument(1, MAX_DAYS), AUTHORITY_DAYS)
    .option('--force', 'replace an authority: every member certificate must then be issued again')
    .option('--if-missing', 'keep an authority that exists, and succeed')
    .action(async (options: WriteOptions & { clusterId: string }) => initAuthority(options, context))
  certs
    .command('issue')
    .description('make a key and a certificate for members')
    .argument('<member...>', 'names of members, as in member.name of the configuration')
    .option('--dir <folder>', 'where certificates are kept', 'certs')
    .option('--host <host>', 'further name or address that clients use by TLS; may be repeated', collect)
    .option('--days <days>', 'valid for this long', integerArgument(1, MAX_DAYS), MEMBER_DAYS)
    .option('--force', 'replace certificates that exist')
    .option('--if-missing', 'keep certificates that exist, and succeed')
    .action(async (members: string[], options: WriteOptions & { host?: string[] }) =>
      issueCertificates(members, options, context),
    )
  certs
    .command('show')
    .description('show names, validity and fingerprint of certificates')
    .argument('[file...]', 'PEM files; all of the folder when none is named')
    .option('--dir <folder>', 'where certificates are kept', 'certs')
    .action(async (files: string[], options: { dir: string }) => showCertificates(files, options.dir, context))
}

async function initAuthority(options: WriteOptions & { clusterId: string }, context: CliContext): Promise<void> {
  const { createAuthority, clusterOfAuthority } = await import('./certificates.js')
  requireLabel(options.clusterId, '--cluster-id')
  const folder = new CertificateFolder(options.dir)
  if (options.ifMissing && folder.has(AUTHORITY_NAME)) {
    const present = clusterOfAuthority(folder.read(AUTHORITY_NAME).certificate)
    if (present !== options.clusterId) {
      throw new MeridianError(
        'MRD_CERTIFICATE',
        `${options.dir} holds the authority of cluster ${present}`,
        'Choose another folder, or --force.',
      )
    }
    printLine(context.stdout, `Kept ${folder.certificateFile(AUTHORITY_NAME)}`)
    return
  }
  folder.write(AUTHORITY_NAME, await createAuthority(options.clusterId, options.days), options.force === true)
  printLine(context.stdout, `Made ${folder.certificateFile(AUTHORITY_NAME)} and ${folder.keyFile(AUTHORITY_NAME)}`)
}

async function issueCertificates(
  members: readonly string[],
  options: WriteOptions & { host?: readonly string[] },
  context: CliContext,
): Promise<void> {
  const { issueMemberCertificate } = await import('./certificates.js')
  for (const member of members) requireMemberName(member)
  for (const host of options.host ?? []) {
    if (!HOST.test(host))
      throw new MeridianError('MRD_ARGUMENT', `--host "${host}" is no host name or address`, 'Write a DNS name or an IP address.')
  }
  const folder = new CertificateFolder(options.dir)
  const authority = folder.read(AUTHORITY_NAME)
  for (const member of members) {
    if (options.ifMissing && folder.has(member)) {
      printLine(context.stdout, `Kept ${folder.certificateFile(member)}`)
      continue
    }
    const request = { member, hosts: options.host ?? [], days: options.days }
    folder.write(member, await issueMemberCertificate(authority, request), options.force === true)
    printLine(context.stdout, `Made ${folder.certificateFile(member)} and ${folder.keyFile(member)}`)
  }
}

async function showCertificates(files: readonly string[], dir: string, context: CliContext): Promise<void> {
  const { summariseCertificate } = await import('./certificates.js')
  const shown = files.length > 0 ? files : new CertificateFolder(dir).certificateFiles()
  if (shown.length === 0)
    throw new MeridianError('MRD_CERTIFICATE', `${resolve(dir)} holds no certificates`, 'Make them with `meridian certs init`.')
  for (const file of shown) {
    const summary = summariseCertificate(readPem(file), file, Date.now())
    const left = summary.daysLeft < 0 ? 'EXPIRED' : `${summary.daysLeft} days left`
    const lines = [
      file,
      `  subject      ${summary.subject}`,
      `  issuer       ${summary.issuer}`,
      `  names        ${summary.alternativeNames || (summary.isAuthority ? 'none: an authority' : 'none')}`,
      `  valid        ${summary.validFrom.toISOString()} to ${summary.validTo.toISOString()} (${left})`,
      `  fingerprint  SHA-256 ${summary.fingerprint}`,
    ]
    printLine(context.stdout, lines.join('\n'))
  }
}

function requireMemberName(name: string): void {
  requireLabel(name, 'member')
  if (name === AUTHORITY_NAME) {
    throw new MeridianError(
      'MRD_ARGUMENT',
      `No member can be called ${AUTHORITY_NAME}`,
      'That name is taken by the files of the authority.',
    )
  }
}

function requireLabel(text: string, what: string): void {
  if (LABEL.test(text)) return
  const allowed = 'Use 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit.'
  throw new MeridianError('MRD_ARGUMENT', `${what} "${text}" is not valid`, allowed)
}
