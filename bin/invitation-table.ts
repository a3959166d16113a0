/** `galaxy-coordinator invitations`: a line for each. */
import type { OpenInvitation } from '../coordinator/invitations.js';

export function invitationTable(invitations: readonly OpenInvitation[], now: number): string[] {
  if (invitations.length === 0) return ['No invitation was made, or all were used or expired over a month ago.'];
  const rows = invitations.map(({ id, name, createdAt, expiresAt, usedBy }) => [
    id,
    name,
    day(createdAt),
    usedBy !== undefined
      ? `used by ${usedBy}`
      : expiresAt <= now
        ? `expired ${day(expiresAt)}`
        : `open until ${day(expiresAt)}`,
  ]);
  const all = [['id', 'for', 'made', 'state'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => (row[column] as string).length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
