#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

/** TypeScript without a flag and without a warning. */
const NODE_MIN = [24, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  process.stderr.write(
    `sluice needs Node ${NODE_MIN.join('.')} or newer, and this is ${process.versions.node}: ` +
      'use `npm start`, which brings its own\n',
  )
  process.exit(1)
}

// Before the rest is imported, so that the second start compiles nothing.
enableCompileCache()
const { runCommand } = await import('./commands.ts')
const code = await runCommand(process.argv.slice(2))
// A pipe may still hold what was printed; an open connection must not keep a stopped process.
process.stdout.write('', () => process.exit(code))
