export * from '../commands/session.js'
