/**
 * Control characters in texts from outside: C0, DEL, C1 and the two Unicode line ends. They move cursors, end lines of
 * logs and headers, and browsers drop some of them from addresses, so that what is left may be another address.
 */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const EACH = new RegExp(CONTROL, 'gu');
const RUNS = new RegExp(`${CONTROL.source}+`, 'gu');

export function hasControlCharacters(text: string): boolean {
  return CONTROL.test(text);
}

/** Each run of them becomes one space. */
export function withoutControlCharacters(text: string): string {
  return text.replace(RUNS, ' ');
}

/** Each of them becomes `put`, except those that `keep` contains. */
export function replaceControlCharacters(text: string, put: string, keep: string): string {
  return text.replace(EACH, (found) => (keep.includes(found) ? found : put));
}
