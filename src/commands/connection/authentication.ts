import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { Session } from '../session.js'

/** The only user until access control lists are there. */
export const DEFAULT_USER = 'default'

/** Makes the session the user's, or throws Redis' error. */
export function authenticate(call: Call, user: Uint8Array, password: Uint8Array): void {
  const { session, services, engine } = call
  const required = services.settings.requirePassword
  const known = Buffer.from(user).toString('latin1') === DEFAULT_USER
  // The password is compared in any case, so that time does not tell which of the two was wrong.
  const right = required === null || sameSecret(password, Buffer.from(required, 'utf8'))
  if (!known || !right) {
    engine.statistics.failedAuthentications++
    throw new CommandError('WRONGPASS invalid username-password pair or user is disabled.')
  }
  session.user = DEFAULT_USER
  session.authenticated = true
}

/** True when the session may run commands. */
export function isAuthenticated(call: Call): boolean {
  return call.session.authenticated || call.services.settings.requirePassword === null
}

/** As a session is right after connecting. */
export function forgetUser(session: Session, passwordRequired: boolean): void {
  session.user = DEFAULT_USER
  session.authenticated = !passwordRequired
}

/** Takes the same time wherever the two differ. */
function sameSecret(given: Uint8Array, secret: Uint8Array): boolean {
  let difference = given.length ^ secret.length
  for (let i = 0; i < given.length; i++) difference |= given[i] ^ secret[secret.length === 0 ? 0 : i % secret.length]
  return difference === 0
}
