import { parseArgs } from 'node:util'
import { SluiceError } from './base/errors.ts'
import { samplesOf } from './model/counts.ts'
import type { QuarantineEntry } from './persist/quarantine.ts'

const ADMIN = '127.0.0.1:9202'

export const QUARANTINE_USAGE = `  sluice quarantine ls|show|export|replay|drop [ID]
               [--destination NAME] [--admin ADDRESS]
               What a destination refused for good: lists it, shows what is in it and why,
               writes it out, sends it again, gives it up. ID is a number, several with commas,
               or "all". Asks the running gateway, at ${ADMIN} if not told otherwise.`

export const REWIND_USAGE = `  sluice rewind --destination NAME --since DURATION
               [--force] [--admin ADDRESS]
               Sends again what a destination has acknowledged and lost, as far as the log
               still holds it: ten minutes at least, while there is room.`

/** As the gateway answers. */
type Entry = QuarantineEntry & {
  destination: string
  /** Null when it is damaged. */
  content: { labels: string; samples: Sample[] }[] | null
}

type Sample = { timestampMs: number; value: number | 'histogram' }

/** Asks a running gateway about its quarantine; returns what is to be printed. */
export async function operateQuarantine(args: string[]): Promise<string> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { destination: { type: 'string' }, admin: { type: 'string', default: ADMIN } },
  })
  const [action, id, ...others] = positionals
  const isKnown = action !== undefined && Object.hasOwn(ACTIONS, action)
  if (!isKnown || others.length > 0)
    throw misuse('quarantine takes ls, show, export, replay or drop')
  const { method, path, needsId, print } = ACTIONS[action as keyof typeof ACTIONS]
  if (needsId && id === undefined) throw misuse(`quarantine ${action} takes an ID, or all`)
  const url = new URL(`${baseOf(values.admin)}/api/v1/quarantine${path}`)
  if (id !== undefined) url.searchParams.set('id', id)
  if (values.destination !== undefined) url.searchParams.set('destination', values.destination)
  return print((await ask(url, method)) as Entry[])
}

/** Asks a running gateway to send a part of its log again; returns what is to be printed. */
export async function operateRewind(args: string[]): Promise<string> {
  const { values } = parseArgs({
    args,
    options: {
      destination: { type: 'string' },
      since: { type: 'string' },
      force: { type: 'boolean', default: false },
      admin: { type: 'string', default: ADMIN },
    },
  })
  const { destination, since, force, admin } = values
  if (destination === undefined || since === undefined) {
    throw misuse('rewind takes --destination NAME and --since DURATION')
  }
  const url = new URL(`${baseOf(admin)}/api/v1/rewind`)
  for (const [key, value] of Object.entries({ destination, since, force: `${force}` })) {
    url.searchParams.set(key, value)
  }
  return jsonOf(await ask(url, 'POST'))
}

const ACTIONS = {
  ls: { method: 'GET', path: '', needsId: false, print: listOf },
  show: { method: 'GET', path: '/show', needsId: true, print: contentsOf },
  export: { method: 'GET', path: '/export', needsId: false, print: jsonOf },
  replay: { method: 'POST', path: '/replay', needsId: true, print: jsonOf },
  drop: { method: 'POST', path: '/drop', needsId: true, print: jsonOf },
} as const

async function ask(url: URL, method: string): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(url, { method })
  } catch (cause) {
    const message = `nobody answers at ${url.host}: is sluice running, and is --admin right?`
    throw new SluiceError('ADMIN_UNREACHABLE', message, { cause })
  }
  const text = await response.text()
  if (!response.ok) throw new SluiceError('ADMIN_REFUSED', text.trim())
  return JSON.parse(text)
}

function baseOf(admin: string): string {
  return /^https?:/.test(admin) ? admin.replace(/\/+$/, '') : `http://${admin}`
}

function listOf(entries: Entry[]): string {
  if (entries.length === 0) return 'nothing is in quarantine'
  const rows = entries.map((entry) => [
    String(entry.id),
    entry.destination,
    entry.cluster,
    new Date(entry.refusedMs).toISOString(),
    String(samplesOf(entry.lost)),
    firstLineOf(entry.reason),
  ])
  const head = ['ID', 'DESTINATION', 'CLUSTER', 'REFUSED', 'SAMPLES', 'REASON']
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]!.length)),
  )
  const line = (row: string[]) =>
    row
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

function contentsOf(entries: Entry[]): string {
  return entries.map(contentOf).join('\n\n')
}

function contentOf(entry: Entry): string {
  const { id, destination, cluster, refusedMs, attempts, reason, lost, content } = entry
  const { samples, histograms, exemplars } = lost
  const refused = `refused by ${destination} at ${new Date(refusedMs).toISOString()}`
  return [
    `${id}, ${refused}, sent again ${attempts} times`,
    `  cluster  ${cluster}`,
    `  lost     ${samples} samples, ${histograms} histograms, ${exemplars} exemplars`,
    `  reason   ${reason.replaceAll('\n', '\n           ')}`,
    ...(content ?? []).flatMap((series) => [
      `  ${series.labels}`,
      ...series.samples.map(
        ({ timestampMs, value }) => `    ${new Date(timestampMs).toISOString()}  ${value}`,
      ),
    ]),
  ].join('\n')
}

function jsonOf(answer: unknown): string {
  return JSON.stringify(answer, null, 2)
}

function firstLineOf(text: string): string {
  return text.split('\n', 1)[0]!
}

function misuse(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_PARSE_ARGS_MISUSE' })
}
