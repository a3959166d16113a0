/** Times and sizes as Galaxy writes them. */

/** `2026-11-22T04:09:12.319000`: UTC, without a zone, in microseconds. */
export function galaxyTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000');
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

export function niceSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`;
}
