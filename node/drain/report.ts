/** What a drain says of itself: to the command that waits for it, to `status` and to the operators' page. */

import { counted, inBytes, inTime } from '../../protocol/runtime/amounts.js';
import type { Unsafe } from './handover.js';
import type { Left } from './part.js';

export interface DrainStatus {
  state: 'serving' | 'draining' | 'drained';
  step: string | null;
  say: string | null;
  steps: { name: string; done: boolean }[];
  /** Ms since 1970. */
  startedAt: number | null;
  deadlineAt: number | null;
  overdue: boolean;
  left: { objects: number; bytes: number } | null;
  bytesDone: number | null;
  bytesTotal: number | null;
  bytesPerSecond: number | null;
  estimateMs: number | null;
  /** Why it does not go on at the moment. */
  waiting: string | null;
  unsafe: Unsafe | null;
  receipt: string | null;
  text: string[];
}

/** One line of the control command; `step` changes with what is waited for, so that each is printed once. */
export interface DrainProgress extends Record<string, unknown> {
  step: string;
  say: string;
  /** What the bytes of the bar are. */
  bar?: string;
  objectsLeft?: number;
  bytesLeft?: number;
  bytesDone?: number;
  bytesTotal?: number;
  bytesPerSecond?: number;
}

/** Of what is not safe, named one by one for people. */
const NAMED_MAX = 20;

export function describeLeft(left: Left | undefined, bytesPerSecond: number | undefined): string | undefined {
  if (left === undefined || left.objects === 0) return undefined;
  const parts = [left.say ?? `${counted(left.objects, 'object')} left`];
  if (left.bytes) parts.push(inBytes(left.bytes));
  if (left.bytes && bytesPerSecond) {
    parts.push(`${inBytes(bytesPerSecond)}/s`, `about ${inTime((left.bytes * 1000) / bytesPerSecond)} left`);
  }
  return parts.join(', ');
}

export function statusText(status: Omit<DrainStatus, 'text'>, left: Left | undefined): string[] {
  if (status.state === 'serving') return [];
  if (status.state === 'drained') {
    return ['Drained: the receipt was issued; the node answers redirects only and ends soon.'];
  }
  const lines = [`Draining: ${status.say ?? 'beginning'}.`];
  const more = describeLeft(left, status.bytesPerSecond ?? undefined);
  if (more !== undefined) lines.push(`  ${more}.`);
  if (status.waiting !== null) lines.push(`  Waiting: ${status.waiting}`);
  if (status.unsafe !== null) lines.push(...unsafeText(status.unsafe));
  if (status.overdue) lines.push('  The deadline has passed; it goes on all the same.');
  return lines;
}

export function unsafeText({ objects, bytes, first }: Unsafe): string[] {
  const lines = [`Not safe elsewhere yet: ${counted(objects, 'object')}, ${inBytes(bytes)}.`];
  for (const { kind, id, reason } of first.slice(0, NAMED_MAX)) lines.push(`  ${kind} ${id}: ${reason}`);
  if (objects > Math.min(first.length, NAMED_MAX)) {
    lines.push(`  … and ${objects - Math.min(first.length, NAMED_MAX)} more`);
  }
  return lines;
}
