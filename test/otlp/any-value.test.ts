import { expect, test } from 'vitest'
import { createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import { gaugeOf, type Message, otlpOf, pointAt } from '../support/otlp.ts'

const listOf = (...values: Message[]): Message => ({ arrayValue: { values } })
const mapOf = (entries: { [key: string]: Message }): Message => ({
  kvlistValue: { values: Object.entries(entries).map(([key, value]) => ({ key, value })) },
})
const text = (stringValue: string): Message => ({ stringValue })

/** Of what 3.5 makes; what came later escapes less. */
test.for<[label: string, value: Message]>([
  ['<&>', text('<&>')],
  ['["-Dx=\\u003c\\u0026\\u003e"]', listOf(text('-Dx=<&>'))],
  ['{"\\u003ca\\u003e":"\\u2028"}', mapOf({ '<a>': text('\u2028') })],
  ['[null,null,[],{}]', listOf({}, { bytesValue: [] }, listOf(), mapOf({}))],
  ['["aGk=","😀","\\u0001"]', listOf({ bytesValue: [104, 105] }, text('😀'), text('\u0001'))],
  [
    '[1e+21,1e-7,-0,true]',
    listOf(...[1e21, 1e-7, -0].map((doubleValue) => ({ doubleValue })), { boolValue: true }),
  ],
])('an attribute becomes the label %s', ([label, value]) => {
  const batch = createBatch()
  const body = otlpOf([gaugeOf('g', [pointAt(1000, { asInt: 1 }, { k: value })])])
  expect(createOtlpDecoder(KEY)(body, batch)).toBeNull()
  expect(Object.fromEntries(seriesOf(batch)[0]!.labels)).toEqual({ __name__: 'g', k: label })
})
