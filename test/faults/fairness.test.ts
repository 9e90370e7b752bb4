import { expect, test } from 'vitest'
import { HELD_MS } from '../../src/forward/turns.ts'
import { DeliveryRig, settle } from '../support/delivery-rig.ts'
import { atScale } from '../support/fault-scale.ts'

// Counted in answers: as long as each takes equally long, that is time.

/** What a noisy cluster sends for each block of another. */
const NOISE = 50
/** A block of 2,000 samples, which goes alone. */
const BLOCK = { blockBytes: 30_000, blockSamples: 2_000 }
/** Blocks that one turn is good for, with the one that overdraws it. */
const TURN_BLOCKS = 2
const IN_FLIGHT_MAX = 4
const BACKLOG_BLOCKS = atScale(3_000, 20_000)

function noisyRig(): DeliveryRig {
  const rig = new DeliveryRig(BLOCK)
  rig.inFlightMax = IN_FLIGHT_MAX
  return rig
}

/** Answers the oldest request, once; says which cluster's it was. */
async function answerOldest({ inFlight }: DeliveryRig): Promise<string> {
  const request = inFlight.shift()!
  request.answer()
  await settle()
  return request.block.cluster
}

/** Answers one after the other until `cluster` has got `blocks` through; says how many it took. */
async function answersUntil(rig: DeliveryRig, cluster: string, blocks: number): Promise<number> {
  let answers = 0
  for (let arrived = 0; arrived < blocks; answers++) {
    if ((await answerOldest(rig)) === cluster) arrived += 1
  }
  return answers
}

test('F38: behind a backlog that is larger than the look-ahead, a quiet cluster waits a turn', async () => {
  const rig = noisyRig()
  for (let i = 0; i < BACKLOG_BLOCKS; i++) rig.append('noisy', [])
  rig.start()
  await settle()
  for (let round = 0; round < atScale(10, 200); round++) {
    rig.append('quiet', [])
    await settle()
    expect(await answersUntil(rig, 'quiet', 1)).toBeLessThanOrEqual(IN_FLIGHT_MAX + TURN_BLOCKS)
    for (let i = 0; i < NOISE; i++) rig.append('noisy', [])
  }
  expect(rig.inMemory).toBeLessThanOrEqual(512)
  await rig.stop()
})

test('F38: after an outage, a quiet cluster catches up as if the noisy one sent as little', async () => {
  const rig = noisyRig()
  const blocks = BACKLOG_BLOCKS / NOISE
  for (let i = 0; i < blocks; i++) {
    for (let j = 0; j < NOISE; j++) rig.append('noisy', [])
    for (const quiet of ['one', 'two', 'three']) rig.append(quiet, [])
  }
  rig.start()
  await settle()
  const answers = await answersUntil(rig, 'three', blocks)
  expect(answers).toBeLessThanOrEqual(4 * (blocks + TURN_BLOCKS) + IN_FLIGHT_MAX)
  await rig.stop()
})

test('F38: of two clusters with a backlog each sends half of the bytes, however large its blocks', async () => {
  const rig = noisyRig()
  rig.inFlightMax = 1
  for (let i = 0; i < 400; i++) {
    rig.append('large', [], 0, 300_000)
    rig.append('small', [])
  }
  rig.start()
  await settle()
  const bytes = { large: 0, small: 0 }
  for (let answers = 0; answers < 300; answers++) {
    const sent = rig.inFlight[0]!.block.message.length
    bytes[(await answerOldest(rig)) as 'large' | 'small'] += sent
  }
  // A request costs something beside its bytes, so that small ones weigh more.
  expect(bytes.small / bytes.large).toBeGreaterThan(0.6)
  expect(bytes.small / bytes.large).toBeLessThan(1.1)
  await rig.stop()
})

test('F38: while all requests of a cluster fail, the others go on at their pace', async () => {
  const rig = noisyRig()
  for (let i = 0; i < BACKLOG_BLOCKS; i++) rig.append('poisoned', [])
  rig.start()
  await settle()
  const poisoned = rig.inFlight.splice(0)
  expect(poisoned).toHaveLength(IN_FLIGHT_MAX)
  await rig.pass(HELD_MS)
  expect(rig.inFlight).toHaveLength(0)

  const blocks = atScale(500, 5_000)
  for (let i = 0; i < blocks; i++) rig.append('healthy', [])
  await rig.pass(HELD_MS)
  for (let answers = 0; answers < blocks; answers++) {
    expect(rig.inFlight).toHaveLength(Math.min(IN_FLIGHT_MAX, blocks - answers))
    expect(await answerOldest(rig)).toBe('healthy')
  }
  expect(rig.acknowledged.size).toBe(blocks)
  expect(rig.inMemory).toBeLessThanOrEqual(512)

  // And what failed is still there, in its order.
  for (const request of poisoned) request.answer()
  await rig.drain()
  expect(rig.acknowledged.size).toBe(BACKLOG_BLOCKS + blocks)
  await rig.stop()
})

test('F23: what a block with its fence holds up is its own cluster, however much that is', async () => {
  const rig = noisyRig()
  for (let i = 0; i < BACKLOG_BLOCKS; i++) rig.append('stalled', [], i)
  rig.start()
  await settle()
  const [stalled] = rig.inFlight.splice(0)
  for (let i = 0; i < 100; i++) {
    rig.append('healthy', [])
    await settle()
    expect(await answerOldest(rig)).toBe('healthy')
  }
  expect(rig.ahead.acknowledged).toBe(1)
  stalled!.answer()
  await settle()
  expect(rig.inFlight).toHaveLength(1)
  expect(rig.ahead.acknowledged).toBe(2)
  await rig.stop()
})
