import type { SettingsService } from '../../src/commands/services.js'

/** CONFIG where nothing can be set: what a harness does not carry out it refuses. */
export const NO_SETTINGS: SettingsService = {
  get: () => [],
  set: (pairs) => `ERR CONFIG SET failed (possibly related to argument '${pairs[0][0]}') - no setting is carried out here`,
  rewrite: () => 'ERR The server is running without a config file',
  requirePassword: null,
  debugCommand: 'no',
}
