import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from './base/clock.ts'
import { nodeDisk } from './base/disk.ts'
import { SluiceError } from './base/errors.ts'
import { createLogger, type Logger } from './base/log.ts'
import { boundOldGeneration } from './base/old-generation.ts'
import { type Address, addressText } from './base/units.ts'
import { VERSION } from './base/version.ts'
import { boundYoungGeneration } from './base/young-generation.ts'
import { type Config, type Flags, parseConfig } from './config/config.ts'
import type { Gateway } from './gateway.ts'
import { operateQuarantine, operateRewind, QUARANTINE_USAGE, REWIND_USAGE } from './operate.ts'

const USAGE = `sluice ${VERSION}: a Prometheus remote-write gateway

  sluice serve [--config FILE] [--remote-write URL] [--data DIR]
               [--listen ADDRESS] [--admin ADDRESS]
               Receives pushes, keeps them on disk and forwards them. Without --config the
               defaults hold; flags win over the file.
  sluice check FILE
               Shows every problem of a configuration, with its line.
${QUARANTINE_USAGE}
${REWIND_USAGE}
  sluice version
  sluice help
`

/** Runs one command and resolves with the exit code: 0 done, 1 failed, 2 not understood. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args
  try {
    switch (command) {
      case 'serve':
        return await serve(rest)
      case 'check':
        return await check(rest)
      case 'quarantine':
        console.log(await operateQuarantine(rest))
        return 0
      case 'rewind':
        console.log(await operateRewind(rest))
        return 0
      case 'version':
      case '--version':
        console.log(`sluice ${VERSION}`)
        return 0
      case 'help':
      case '--help':
      case '-h':
        console.log(USAGE)
        return 0
      default:
        return misused(command === undefined ? 'no command' : `unknown command "${command}"`)
    }
  } catch (error) {
    if (isUsageError(error)) return misused(error.message)
    if (!(error instanceof SluiceError)) throw error
    console.error(`${error.code}: ${error.message}`)
    return 1
  }
}

async function serve(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: 'string' },
      'remote-write': { type: 'string' },
      data: { type: 'string' },
      listen: { type: 'string' },
      admin: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const flags = {
    '--remote-write': values['remote-write'],
    '--data': values.data,
    '--listen': values.listen,
    '--admin': values.admin,
  }
  const { config, warnings } = await loadConfig(values.config, flags)
  const log = createLogger({ level: 'info' })
  if (warnings.length > 0) log.warn('settings without effect', { settings: warnings })

  endOnFaults(log)
  boundOldGeneration()
  // A flag of the process: threads would be held to what they have grown to by then.
  if (config.limits.intakeThreads === 1) boundYoungGeneration()
  const stopping = stopSignal(log)
  // Here and not above, so that other commands need no native module.
  const { startGateway } = await import('./gateway.ts')
  const gateway = await startGateway(config, {
    clock: systemClock,
    disk: nodeDisk,
    random: Math.random,
    log,
    loadConfig: async () => (await loadConfig(values.config, flags)).config,
  })
  // What went wrong has been told; the old configuration holds.
  process.on('SIGHUP', () => void gateway.reload().catch(() => undefined))
  log.info('sluice is ready', {
    version: VERSION,
    write: addressText({ host: config.listen.write.host, port: gateway.writePort }),
    ...otlpAddresses(config, gateway),
    admin: addressText({ host: config.listen.admin.host, port: gateway.adminPort }),
    remoteWrite: config.remoteWrite.map(({ url }) => url),
    data: config.storage.path,
  })
  await stopping
  await gateway.stop()
  log.info('sluice has stopped')
  return 0
}

function otlpAddresses({ listen }: Config, { otlpHttpPort, otlpGrpcPort }: Gateway) {
  const shown = (address: Address | null, port: number | null) =>
    address === null || port === null ? 'off' : addressText({ host: address.host, port })
  return {
    otlpHttp: shown(listen.otlpHttp, otlpHttpPort),
    otlpGrpc: shown(listen.otlpGrpc, otlpGrpcPort),
  }
}

async function check(args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true })
  const [path, ...others] = positionals
  if (path === undefined || others.length > 0) return misused('check takes one file')
  const { config, warnings } = await loadConfig(path, {})
  for (const warning of warnings) console.log(`warning: ${warning}`)
  console.log(summary(path, config))
  return 0
}

async function loadConfig(path: string | undefined, flags: Flags) {
  if (path === undefined) return parseConfig('', 'defaults', flags)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `${path}: cannot be read (${code}): check the path and its permissions`
    throw new SluiceError('CONFIG_INVALID', message, { cause })
  }
  return parseConfig(text, basename(path), flags, dirname(path))
}

function summary(path: string, { listen, storage, dedup, remoteWrite }: Config): string {
  const quota = storage.quotaBytes === undefined ? 'not set' : `${storage.quotaBytes} bytes`
  return [
    `${path} is valid`,
    `  receives at  ${addressText(listen.write)}, is operated at ${addressText(listen.admin)}`,
    `  keeps in     ${storage.path}, quota ${quota}, acknowledges after ${storage.acknowledge}`,
    `  remembers    ${dedup.maxSeries} series`,
    ...remoteWrite.map(({ name, url }) => `  forwards to  ${name}, ${url}`),
  ].join('\n')
}

/** Resolves at the first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false
    const onSignal = (signal: string): void => {
      if (isStopping) process.exit(1)
      isStopping = true
      log.info('stopping', { signal })
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

/**
 * A fault that nobody caught leaves a state that nobody knows: the process ends. What was
 * acknowledged is on disk, and the next start takes it up.
 */
function endOnFaults(log: Logger): void {
  // Whoever read our output is gone; that is no reason to stop forwarding.
  process.stdout.on('error', () => {})
  const end = (error: unknown): never => {
    log.error('a fault ended the process', { error })
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function misused(problem: string): number {
  console.error(`${problem}\n\n${USAGE}`)
  return 2
}

function isUsageError(error: unknown): error is Error {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_')
}
