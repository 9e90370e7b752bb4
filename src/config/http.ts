import { setting } from '../base/settings.ts'

/** What HTTP lets be the name of a header or of a scheme. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)
}

/** @param place where user and password belong: a URL is shown to everybody */
export function plainUrl(place: string) {
  return setting(`an http or https URL without user and password (${place})`, (text) =>
    isPlainUrl(text) ? text : null,
  )
}

function isPlainUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false
  return url.username === '' && url.password === ''
}
