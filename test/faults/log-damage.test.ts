import { expect, test } from 'vitest'
import {
  changed,
  expectSettled,
  imageOf,
  pushOne,
  recordsIn,
  revived,
  segmentsOf,
} from '../simulation/image.ts'
import { Simulation } from '../simulation/simulation.ts'
import { atScale } from '../support/fault-scale.ts'

const LONG = { timeout: 600_000 }
/** Of one push. */
const SAMPLES = 3

/** Pushes that lie in a segment before `bytes`. */
const wholeBefore = (records: { to: number }[], bytes: number) =>
  records.filter(({ to }) => to <= bytes).length

test(
  'F4: a last segment that is cut anywhere in its last three records loses what is cut',
  LONG,
  async () => {
    const image = await imageOf()
    const [path] = segmentsOf(image)
    const records = recordsIn(image.files.get(path!)!)
    expect(records.length).toBe(6)
    for (let end = records[3]!.from; end <= records[5]!.to; end += atScale(23, 1)) {
      const revival = await revived(changed(image, path!, (bytes) => bytes.subarray(0, end)))
      const whole = wholeBefore(records, end)
      expect(revival.arrived).toEqual(image.pushes.map((_, i) => i < whole))
      await expectSettled(revival, 0)
    }
  },
)

test(
  'F5: zeros and garbage behind the last record are a torn tail, kept aside and cut',
  LONG,
  async () => {
    const image = await imageOf()
    const [path] = segmentsOf(image)
    const records = recordsIn(image.files.get(path!)!)
    const fillings = [() => 0, () => 0xa7, (i: number) => (i * 89 + 7) & 0xff]
    for (const filling of fillings) {
      for (const sectors of [1, 3]) {
        for (const overlapBytes of [0, 20, 300]) {
          const revival = await revived(
            changed(image, path!, (bytes) => {
              const from = bytes.length - overlapBytes
              const tail = Uint8Array.from({ length: 512 * sectors }, (_, i) => filling(i))
              return new Uint8Array(Buffer.concat([bytes.subarray(0, from), tail]))
            }),
          )
          const whole = wholeBefore(records, records[5]!.to - overlapBytes)
          expect(revival.arrived).toEqual(image.pushes.map((_, i) => i < whole))
          const files = revival.simulation.disk.files()
          expect(files.has(`${path}.torn-1`)).toBe(filling !== fillings[0] || overlapBytes > 0)
          await expectSettled(revival, 0)
        }
      }
    }
  },
)

test(
  'F6: a flipped bit costs the samples of one block, and they are in the ledger',
  LONG,
  async () => {
    const image = await imageOf({ pushes: 9, yaml: 'quota: 5KiB' })
    const paths = segmentsOf(image)
    expect(paths.length).toBeGreaterThan(2)
    for (const path of paths.slice(0, -1)) {
      const records = recordsIn(image.files.get(path)!)
      const headers = [0, ...records.map(({ from }) => from)]
      const sizes = headers.map((at) => (at === 0 ? 64 : 32))
      const bits = headers.flatMap((at, i) =>
        Array.from({ length: sizes[i]! * 8 }, (_, bit) => at * 8 + bit),
      )
      for (const { from, to } of records) {
        for (let bit = (from + 32) * 8; bit < to * 8; bit += 301) bits.push(bit)
      }
      for (let i = path.length % 3; i < bits.length; i += atScale(17, 1)) {
        const bit = bits[i]!
        const revival = await revived(
          changed(image, path, (bytes) => {
            bytes[bit >> 3]! ^= 1 << (bit & 7)
            return bytes
          }),
        )
        const hit = records.find(({ from, to }) => bit >= from * 8 && bit < to * 8)
        expect(revival.arrived).toEqual(image.pushes.map((_, push) => push + 1 !== hit?.lsn))
        await expectSettled(revival, hit === undefined ? 0 : SAMPLES)
      }
    }
  },
)

test(
  'F7: a segment that is gone is a gap in the ledger, and so is one of another store',
  LONG,
  async () => {
    const image = await imageOf({ pushes: 9, yaml: 'quota: 5KiB' })
    const strangers = await imageOf({ pushes: 9, yaml: 'quota: 5KiB', seed: 2 })
    const paths = segmentsOf(image)
    for (const path of paths) {
      const records = recordsIn(image.files.get(path)!)
      const isLast = path === paths.at(-1)
      const lost = records.map(({ lsn }) => lsn)
      const expected = image.pushes.map((_, push) => !lost.includes(push + 1))
      const foreign = strangers.files.get(path)!
      for (const what of [undefined, () => foreign]) {
        const revival = await revived(changed(image, path, what))
        expect(revival.arrived).toEqual(expected)
        expect(revival.simulation.receiver.ids.size).toBe((9 - lost.length) * SAMPLES)
        // Behind the last one there is nothing that tells how much has been there since the last
        // time that the table was saved.
        await expectSettled(revival, isLast ? 0 : lost.length * SAMPLES)
      }
    }
  },
)

test('F7: the end of a log that was stopped is missed, wherever it is cut', LONG, async () => {
  const simulation = new Simulation({ seed: 1 })
  simulation.receiver.mode = 'down'
  simulation.start()
  await simulation.started()
  const pushes = 6
  for (let i = 0; i < pushes; i++) await pushOne(simulation, i)
  await simulation.clock.until(simulation.stop())
  const files = simulation.disk.files()
  const path = segmentsOf({ files })[0]!
  const records = recordsIn(files.get(path)!)
  // A whole number of pushes, in the middle of one, and nothing at all.
  for (const end of [records[5]!.to, records[3]!.to, records[3]!.from + 40, 64, 0]) {
    const whole = wholeBefore(records, end)
    const again = new Simulation({ seed: 1 })
    await again.clock.pass(60_000)
    for (const [name, bytes] of files) again.disk.plant(name, bytes)
    again.disk.plant(path, files.get(path)!.subarray(0, end))
    again.start()
    await again.started()
    // What comes next says how much came before it.
    await pushOne(again, pushes)
    const process = await again.drain()
    expect(again.receiver.ids.size).toBe((whole + 1) * SAMPLES)
    await expectSettled({ simulation: again, process, arrived: [] }, (pushes - whole) * SAMPLES)
  }
})

test(
  'F8: an old record that lies behind the last one is not taken for a new one',
  LONG,
  async () => {
    const image = await imageOf()
    const [path] = segmentsOf(image)
    const bytes = image.files.get(path!)!
    const records = recordsIn(bytes)
    // From another life of this store: the same numbers, other records.
    const other = await imageOf({ pushes: 8, seed: 3 })
    const [otherPath] = segmentsOf(other)
    const otherBytes = other.files.get(otherPath!)!
    const seventh = recordsIn(otherBytes)[6]!
    const planted = [
      ...records.slice(0, 5).map(({ from, to }) => bytes.subarray(from, to)),
      otherBytes.subarray(seventh.from, seventh.to),
    ]
    for (const record of planted) {
      const revival = await revived(
        changed(image, path!, (own) => new Uint8Array(Buffer.concat([own, record]))),
      )
      expect(revival.arrived).toEqual(image.pushes.map(() => true))
      expect(revival.simulation.receiver.ids.size).toBe(6 * SAMPLES)
      expect(revival.simulation.receiver.repeats).toBe(0)
      await expectSettled(revival, 0)
    }
  },
)
