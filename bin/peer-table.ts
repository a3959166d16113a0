/** `galaxy-coordinator peers` as text: columns as wide as they need to be, names made safe for a terminal. */
import type { PeerListing } from '../coordinator/dashboard/pages.js';
import { printable } from '../protocol/runtime/errors.js';
import { amount } from './progress.js';

export function peerTable(listing: PeerListing): string[] {
  const header = ['NAME', 'STATE', 'REACHED', 'PLACE', 'JOBS', 'ACCOUNTS', 'AT RISK', 'FREE', 'HEARD', 'VERSION'];
  const rows = listing.peers.map((peer) => [
    printable(peer.name),
    peer.state,
    peer.presence,
    peer.location ? `${peer.location.lat.toFixed(1)},${peer.location.lon.toFixed(1)}` : '-',
    `${peer.running}/${peer.slots}${peer.queued > 0 ? ` +${peer.queued}` : ''}`,
    String(peer.accounts),
    peer.atRiskBytes > 0 ? amount(peer.atRiskBytes, 'bytes') : '-',
    amount(peer.freeBytes, 'bytes'),
    peer.lastHeardMs === null ? 'never' : `${Math.max(0, Math.round((listing.now - peer.lastHeardMs) / 1000))} s ago`,
    peer.version,
  ]);
  const { blobs, bytes, freeBytes } = listing.repository;
  const summary = `${listing.network}: ${rows.length} nodes; repository ${blobs} blobs, ${amount(bytes, 'bytes')}, ${amount(freeBytes, 'bytes')} free`;
  if (rows.length === 0) return [summary, 'No node has joined yet. Invite one: galaxy-coordinator invite --name "…"'];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
  return [summary, '', line(header), ...rows.map(line)];
}
