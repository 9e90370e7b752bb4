/** Takes user name and password out of the URLs in `text`, for all that people get to read. */
export function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/\s"'@]*@/g, '//[hidden]@')
}
