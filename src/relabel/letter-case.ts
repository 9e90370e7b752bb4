/**
 * Letter by letter, as Go does it: there a letter becomes one letter or stays as it is, while
 * JavaScript makes two of some (`ß` becomes `SS`) and looks at those beside it (`Σ`).
 */
export function lowerCase(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  return eachLetter(text, (letter) => (letter === 'İ' ? 'i' : single(letter.toLowerCase(), letter)))
}

export function upperCase(text: string): string {
  if (isAscii(text)) return text.toUpperCase()
  return eachLetter(text, (letter) => single(letter.toUpperCase(), titleOf(letter)))
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

function eachLetter(text: string, map: (letter: string) => string): string {
  return Array.from(text, map).join('')
}

function single(mapped: string, otherwise: string): string {
  return mapped.length === String.fromCodePoint(mapped.codePointAt(0)!).length ? mapped : otherwise
}

/** Greek letters with an iota below have a capital of one letter as well as one of two. */
function titleOf(letter: string): string {
  const code = letter.codePointAt(0)!
  const isRow = code >= 0x1f80 && code <= 0x1faf && (code & 8) === 0
  if (isRow) return String.fromCodePoint(code + 8)
  return [0x1fb3, 0x1fc3, 0x1ff3].includes(code) ? String.fromCodePoint(code + 9) : letter
}
