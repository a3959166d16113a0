/** Numbers as people read them: the one place for sizes, lengths of time and counts in texts. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function inBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  // What would be rounded up to 1000.0 belongs to the next unit.
  while (size >= (unit === 0 ? 999.5 : 999.95) && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Never "0 s": what is under way takes at least a moment. */
export function inTime(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** "1 dataset", "2 datasets". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
