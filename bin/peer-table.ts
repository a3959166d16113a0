/** `galaxy-coordinator peers` as text: columns as wide as they need to be, names made safe for a terminal. */
import type { PeerListing } from '../coordinator/dashboard/pages.js';
import { counted, inBytes } from '../protocol/runtime/amounts.js';
import { printable } from '../protocol/runtime/errors.js';

export function peerTable(listing: PeerListing): string[] {
  const header = ['NAME', 'STATE', 'REACHED', 'PLACE', 'JOBS', 'ACCOUNTS', 'AT RISK', 'FREE', 'HEARD', 'VERSION'];
  const rows = listing.peers.map((peer) => [
    printable(peer.name),
    peer.receipt === null ? peer.state : `${peer.state} (receipt ${peer.receipt})`,
    peer.presence,
    peer.location ? `${peer.location.lat.toFixed(1)},${peer.location.lon.toFixed(1)}` : '-',
    `${peer.running}/${peer.slots}${peer.queued > 0 ? ` +${peer.queued}` : ''}`,
    String(peer.accounts),
    peer.atRiskBytes > 0 ? inBytes(peer.atRiskBytes) : '-',
    inBytes(peer.freeBytes),
    peer.lastHeardMs === null ? 'never' : `${Math.max(0, Math.round((listing.now - peer.lastHeardMs) / 1000))} s ago`,
    peer.version,
  ]);
  const { blobs, bytes, freeBytes } = listing.repository;
  const left = listing.peers.filter(({ presence }) => presence === 'left').length;
  const summary = `${listing.network}: ${counted(rows.length - left, 'node')}${left > 0 ? ` and ${left} that left` : ''}; repository ${counted(blobs, 'blob')}, ${inBytes(bytes)}, ${inBytes(freeBytes)} free`;
  const more =
    listing.leftBefore > 0
      ? ['', `${listing.leftBefore} that left over a month ago: galaxy-coordinator peers --all`]
      : [];
  if (rows.length === 0 && more.length > 0) return [summary, ...more];
  if (rows.length === 0) return [summary, 'No node has joined yet. Invite one: galaxy-coordinator invite --name "…"'];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
  const problems = listing.peers.flatMap(({ name, problem }) =>
    problem === null ? [] : [`Problem at ${printable(name)}: ${printable(problem)}`],
  );
  return [summary, '', line(header), ...rows.map(line), ...(problems.length > 0 ? ['', ...problems] : []), ...more];
}
