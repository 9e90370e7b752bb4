#!/usr/bin/env node
import module from 'node:module'

// Not TypeScript, so that an older Node gets as far as the message, and that a start whose modules
// are all in the cache need not load what strips types: 14 MB.

/** TypeScript without a flag and without a warning. */
const NODE_MIN = { major: 24, minor: 12 }

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NODE_MIN.major || (major === NODE_MIN.major && minor < NODE_MIN.minor)) {
  process.stderr.write(
    `sluice needs Node ${NODE_MIN.major}.${NODE_MIN.minor} or newer, and this is ${process.versions.node}: ` +
      'use `npm start`, which brings its own\n',
  )
  process.exit(1)
}

// Before the rest is imported, so that the second start compiles nothing.
module.enableCompileCache()
const { runCommand } = await import('./commands.ts')
const code = await runCommand(process.argv.slice(2))
// A pipe may still hold what was printed; an open connection must not keep a stopped process.
process.stdout.write('', () => process.exit(code))
