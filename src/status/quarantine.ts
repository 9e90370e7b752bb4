import type { Clock } from '../base/clock.ts'
import type { QuarantineEntry } from '../persist/quarantine.ts'
import { type Answer, refusal } from '../receive/answer.ts'
import type { Routes } from '../receive/server.ts'
import { type AnswerTo, handlerOf, jsonAnswer, unknownDestination } from './answers.ts'
import { contentOf } from './content.ts'
import type { QuarantineSource } from './sources.ts'

type Chosen = { destination: string; source: QuarantineSource; entry: QuarantineEntry }

/**
 * What was refused, by destination: to be listed, looked into, sent again or dropped.
 *
 * `destination` and `id` (several with commas, or `all`) choose entries; without `destination`
 * they are looked for everywhere.
 */
export function createQuarantineRoutes(
  quarantines: ReadonlyMap<string, QuarantineSource>,
  clock: Clock,
): Routes {
  const route = (method: 'GET' | 'POST', answerTo: AnswerTo) => handlerOf(method, answerTo, clock)

  /** The entries that are meant, or what is wrong with the question. */
  function chosenBy(query: URLSearchParams, fallback: 'all' | null): Chosen[] | Answer {
    const name = query.get('destination')
    if (name !== null && !quarantines.has(name)) {
      return unknownDestination(name, quarantines.keys())
    }
    const wanted = query.get('id') ?? fallback
    if (wanted === null) return refusal(400, 'say which: id=1, id=1,2 or id=all')
    const ids = new Set(wanted.split(',').map(Number))
    const chosen: Chosen[] = []
    for (const [destination, source] of quarantines) {
      if (name !== null && name !== destination) continue
      for (const entry of source.entries()) {
        if (wanted === 'all' || ids.has(entry.id)) chosen.push({ destination, source, entry })
      }
    }
    if (wanted === 'all') return chosen
    const several = new Set(chosen.map(({ destination }) => destination))
    if (several.size > 1) {
      // Each counts its own entries, so the same number means another one elsewhere.
      const names = [...several].join(', ')
      return refusal(409, `${names} have an entry ${wanted} each: say which destination`)
    }
    if (chosen.length > 0) return chosen
    return refusal(404, `no entry ${wanted} is in quarantine: see /api/v1/quarantine`)
  }

  const choosing =
    (fallback: 'all' | null, answerTo: (chosen: Chosen[]) => Promise<unknown>) =>
    async (query: URLSearchParams): Promise<Answer> => {
      const chosen = chosenBy(query, fallback)
      return Array.isArray(chosen) ? jsonAnswer(await answerTo(chosen)) : chosen
    }

  return {
    '/api/v1/quarantine': route(
      'GET',
      choosing('all', async (chosen) => chosen.map(shown)),
    ),
    '/api/v1/quarantine/show': route(
      'GET',
      choosing(null, (chosen) => eachWith(chosen, withContent)),
    ),
    '/api/v1/quarantine/export': route(
      'GET',
      choosing('all', (chosen) => eachWith(chosen, withMessage)),
    ),
    '/api/v1/quarantine/replay': route(
      'POST',
      choosing(null, (chosen) => byDestination(chosen, (source, ids) => source.replay(ids))),
    ),
    '/api/v1/quarantine/drop': route(
      'POST',
      choosing(null, (chosen) =>
        byDestination(chosen, async (source, ids) => {
          await source.drop(ids)
          return { dropped: ids }
        }),
      ),
    ),
  }
}

function shown({ destination, entry }: Chosen) {
  return { destination, ...entry }
}

function withContent(message: Uint8Array | null) {
  return { content: message === null ? null : contentOf(message).series }
}

/** `io.prometheus.write.v2.Request`, snappy, in base 64. */
function withMessage(message: Uint8Array | null) {
  return { message: message === null ? null : Buffer.from(message).toString('base64') }
}

async function eachWith(
  chosen: Chosen[],
  more: (message: Uint8Array | null) => object,
): Promise<object[]> {
  const all: object[] = []
  for (const one of chosen) {
    all.push({ ...shown(one), ...more(await one.source.message(one.entry.id)) })
  }
  return all
}

async function byDestination(
  chosen: Chosen[],
  act: (source: QuarantineSource, ids: number[]) => Promise<object>,
): Promise<object[]> {
  const groups = Map.groupBy(chosen, ({ destination }) => destination)
  const done: object[] = []
  for (const [destination, group] of groups) {
    const ids = group.map(({ entry }) => entry.id)
    done.push({ destination, ...(await act(group[0]!.source, ids)) })
  }
  return done
}
