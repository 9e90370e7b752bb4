/** Messages nest in lists and objects; so deep does nobody mean it. */
const DEPTH_MAX = 256
/** Each takes up to a hundred bytes of memory once it is parsed: a point has some twenty. */
const VALUES_MAX = 4 * 2 ** 20
/** A double rounds none that are shorter. */
const LONG_DIGITS = 16

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const MINUS = 0x2d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * The text of a JSON body, looked through before it is parsed: what nests deeper or holds more
 * than anybody means would take gigabytes and minutes. Takes time in proportion to the body,
 * whatever it is; whether it is JSON is for the parser to say.
 *
 * Integers that a double would round, such as nanoseconds that somebody writes as numbers, come
 * out in quotes: as text they may be read where integers are.
 */
export function jsonTextOf(body: Buffer): { text: string } | { problem: string } {
  const pieces: string[] = []
  let copied = 0
  let depth = 0
  let values = 0
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!
    if (byte === QUOTE) at = endOfString(body, at)
    else if (byte === COMMA) values += 1
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values += 1
      depth += 1
      if (depth > DEPTH_MAX) return { problem: `the body is nested deeper than ${DEPTH_MAX}` }
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1
    else if (byte === MINUS || isDigit(byte)) {
      const end = endOfNumber(body, at)
      if (isLongInteger(body, at, end)) {
        pieces.push(body.toString('utf8', copied, at), `"${body.toString('latin1', at, end)}"`)
        copied = end
      }
      at = end - 1
    }
    if (values > VALUES_MAX) return { problem: `the body has more than ${VALUES_MAX} values` }
  }
  pieces.push(body.toString('utf8', copied))
  return { text: pieces.join('') }
}

/** Where the string ends that begins at `from`: at its last quote, or with the body. */
function endOfString(body: Buffer, from: number): number {
  let at = from + 1
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1
  return at
}

/** Behind everything that a number is written with. */
function endOfNumber(body: Buffer, from: number): number {
  let at = from + 1
  while (at < body.length && isOfNumber(body[at]!)) at += 1
  return at
}

function isOfNumber(byte: number): boolean {
  // Digits, `+`, `-`, `.`, `e`, `E`.
  return isDigit(byte) || byte === 0x2b || byte === MINUS || byte === 0x2e || (byte | 32) === 0x65
}

function isLongInteger(body: Buffer, from: number, end: number): boolean {
  const first = body[from] === MINUS ? from + 1 : from
  if (end - first < LONG_DIGITS) return false
  for (let at = first; at < end; at++) if (!isDigit(body[at]!)) return false
  return true
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
