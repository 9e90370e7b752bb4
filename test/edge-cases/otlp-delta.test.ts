import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Disk, nodeDisk } from '../../src/base/disk.ts'
import { snappy } from '../../src/wire/snappy.ts'
import type { TestGateway } from '../support/gateway.ts'
import { DELTA, type Message, nanos, pointAt, requestOf, sumOf } from '../support/otlp.ts'
import { DOORS, withDoors } from '../support/otlp-doors.ts'
import { decodeRw2 } from '../support/remote-write.ts'

const SUM = { yaml: 'otlp: { delta: cumulative }' }
/** Threads and gRPC take their time to start. */
const SLOW = { timeout: 30_000 }
const RESOURCE = { 'service.name': 'shop' }
const now = Date.now()

/** A push of one delta of a counter, from `from` to `to` seconds after the test began. */
function orders(from: number, to: number, value: number, more: Message = {}): Message {
  const start = { startTimeUnixNano: nanos(now + from * 1000) }
  const point = pointAt(now + to * 1000, { ...start, asDouble: value, ...more })
  return requestOf([deltaOf([point])], RESOURCE)
}

function deltaOf(dataPoints: Message[], name = 'orders'): Message {
  return { name, sum: { dataPoints, isMonotonic: true, aggregationTemporality: DELTA } }
}

/** What the receiver has of the counter, as numbers. */
function valuesAt({ receiver }: TestGateway, name = 'orders_total'): number[] {
  const samples = receiver.samplesOf({ __name__: name, job: 'shop' })
  return samples.map(({ bits }) => new Float64Array(BigUint64Array.of(bits!).buffer)[0]!)
}

test('G90: deltas are refused unless asked for, and the answer says what to do', SLOW, () =>
  withDoors(async (doors, gateway) => {
    const points = [1, 2].map((value) => pointAt(now, { asInt: value }, { n: `${value}` }))
    const gauge = { name: 'g', gauge: { dataPoints: [pointAt(now, { asInt: 1 })] } }
    for (const door of DOORS) {
      const told = await doors.message(door, requestOf([deltaOf(points), gauge], RESOURCE))
      expect(told).toMatchObject({ rejected: 2, isWellFormed: true })
      expect(told.message).toMatch(/export cumulative values.*otlp\.delta: cumulative/)
    }
    await expect.poll(() => valuesAt(gateway, 'g')).toEqual([1])
    expect([...gateway.receiver.series.keys()].join()).not.toContain('orders')
  }),
)

test.for(DOORS)('G91: by %s, deltas become sums, from the start of the first', SLOW, (door) =>
  withDoors(async (doors, gateway) => {
    for (const [i, value] of [1, 2, 3].entries()) {
      const told = await doors.message(door, orders(i, i + 1, value))
      expect(told).toMatchObject({ rejected: 0, message: '', isWellFormed: true })
    }
    await expect.poll(() => valuesAt(gateway)).toEqual([1, 3, 6])
    expect(startsAt(gateway)).toEqual([now, now, now])
  }, SUM),
)

test('G92: a delta that is not after the sum is one rejected point, and is not added', SLOW, () =>
  withDoors(async (doors, gateway) => {
    await doors.message('protobuf', orders(0, 2, 5))
    // Other bytes than before, so that it is not known as a whole.
    const again = await doors.message('JSON', orders(0, 2, 5, { flags: 2 }))
    expect(again).toMatchObject({ status: 200, rejected: 1 })
    const overlapping = await doors.message('gRPC', orders(1, 3, 5))
    expect(overlapping).toMatchObject({ status: 0, rejected: 1 })
    expect(overlapping.message).toContain('added up already')
    expect((await doors.message('gRPC', orders(2, 3, 1))).rejected).toBe(0)
    await expect.poll(() => valuesAt(gateway)).toEqual([5, 6])
    expect(JSON.parse(await gateway.admin('/api/v1/balance'))).toMatchObject({
      rejected: 2,
      difference: 0,
    })
  }, SUM),
)

test('a push that is repeated byte by byte gets the same answer, and is added once', SLOW, () =>
  withDoors(async (doors, gateway) => {
    for (const door of DOORS) {
      const push = orders(DOORS.indexOf(door), DOORS.indexOf(door) + 1, 1)
      const first = await doors.message(door, push)
      expect(await doors.message(door, push)).toEqual(first)
      expect(first.rejected).toBe(0)
    }
    await expect.poll(() => valuesAt(gateway)).toEqual([1, 2, 3])
  }, SUM),
)

test('the same push many times at once is added once, and the next goes on from there', SLOW, () =>
  withDoors(async (doors, gateway) => {
    const pushes = Array.from({ length: 20 }, () => doors.message('protobuf', orders(0, 1, 7)))
    const told = await Promise.all(pushes)
    expect(told.map(({ status }) => status)).toEqual(told.map(() => 200))
    await doors.message('protobuf', orders(1, 2, 1))
    await expect.poll(() => valuesAt(gateway)).toEqual([7, 8])
  }, SUM),
)

/** Start timestamps of all samples of the counter, in the order of arrival. */
function startsAt({ receiver }: TestGateway): number[] {
  return receiver.requests.flatMap(({ body }) => {
    const { symbols, timeseries } = decodeRw2(snappy.decompress(body)!)
    const orders = timeseries.filter(({ labelsRefs }) =>
      labelsRefs.some((ref) => symbols[ref] === 'orders_total'),
    )
    return orders.flatMap(({ samples }) => samples.map((each) => Number(each.startTimestamp)))
  })
}

/** A disk that does, before each sync of the log, what comes next in `script`. */
function scripted(): { disk: Disk; script: (() => Promise<void>)[] } {
  const script: (() => Promise<void>)[] = []
  const disk: Disk = {
    ...nodeDisk,
    open: async (path, mode) => {
      const file = await nodeDisk.open(path, mode)
      const datasync = async () => {
        if (path.includes('/log/')) await script.shift()?.()
        await file.datasync()
      }
      return { ...file, datasync }
    },
  }
  return { disk, script }
}

const fail = async () => {
  throw new Error('EIO')
}

test('what could not be committed was never added, and the repetition is', SLOW, async () => {
  const { disk, script } = scripted()
  await withDoors(
    async (doors, gateway) => {
      await doors.message('protobuf', orders(0, 1, 1))
      script.push(fail)
      const told = await doors.message('protobuf', orders(1, 2, 10))
      expect(told).toMatchObject({ status: 503, isWellFormed: true })
      expect(told.retrySeconds).toBeGreaterThan(0)
      expect((await doors.message('protobuf', orders(1, 2, 10))).rejected).toBe(0)
      await doors.message('protobuf', orders(2, 3, 100))
      await expect.poll(() => valuesAt(gateway)).toEqual([1, 11, 111])
    },
    { ...SUM, disk },
  )
})

test('a commit makes safe what it carries, and not what waits for the next one', SLOW, async () => {
  const { disk, script } = scripted()
  await withDoors(
    async (doors, gateway) => {
      await doors.message('protobuf', orders(0, 1, 1))
      const { promise: held, resolve: release } = Promise.withResolvers<void>()
      script.push(() => held, fail)
      const first = doors.message('protobuf', orders(1, 2, 10))
      await expect.poll(() => script.length).toBe(1)
      const second = doors.message('protobuf', orders(2, 3, 100))
      // So that it is judged while the first is on its way to disk.
      await delay(200)
      release()
      expect([(await first).status, (await second).status]).toEqual([200, 503])
      const again = await doors.message('protobuf', orders(2, 3, 100))
      expect(again).toMatchObject({ status: 200, rejected: 0 })
      await expect.poll(() => valuesAt(gateway)).toEqual([1, 11, 111])
    },
    { ...SUM, disk },
  )
})

test('after a restart a sum begins anew, and what was added before is not taken again', SLOW, () =>
  withDoors(async (doors, gateway) => {
    await doors.message('protobuf', orders(0, 1, 5))
    await doors.message('protobuf', orders(1, 2, 3))
    await expect.poll(() => valuesAt(gateway)).toEqual([5, 8])
    await gateway.restart()
    expect((await doors.message('protobuf', orders(1, 2, 3))).rejected).toBe(1)
    expect((await doors.message('protobuf', orders(2, 3, 2))).rejected).toBe(0)
    await expect.poll(() => valuesAt(gateway)).toEqual([5, 8, 2])
    expect(startsAt(gateway)).toEqual([now, now, now + 2000])
  }, SUM),
)

test('how many series are added up is shown, where any are', SLOW, async () => {
  await withDoors(async (doors, gateway) => {
    await doors.message('protobuf', orders(0, 1, 5))
    expect(await gateway.admin('/metrics')).toMatch(/^sluice_otlp_delta_series 1$/m)
    expect(await gateway.admin('/metrics')).toMatch(/^sluice_otlp_delta_series_max 1000000$/m)
  }, SUM)
  await withDoors(async (_, gateway) => {
    expect(await gateway.admin('/metrics')).not.toContain('delta')
  })
})

test('cumulative values go through beside deltas as they are', SLOW, () =>
  withDoors(async (doors, gateway) => {
    const cumulative = sumOf('jobs', [pointAt(now, { asInt: 70 })])
    const delta = deltaOf([pointAt(now, { asInt: 4 })])
    await doors.message('protobuf', requestOf([cumulative, delta], RESOURCE))
    await expect.poll(() => valuesAt(gateway, 'jobs_total')).toEqual([70])
    await expect.poll(() => valuesAt(gateway)).toEqual([4])
  }, SUM),
)
