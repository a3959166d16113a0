/** What `galaxy-node status` prints: the node's report in plain words, a line for each thing an operator asks. */
import type { NodeReport } from './node-status.js';

export function statusText(report: NodeReport, problems: readonly { file: string; message: string }[]): string[] {
  const { node, network, peers, jobs, copies, drain } = report;
  const lines = [`${node.name} (version ${node.version}) is ${node.state} at ${node.url}`];
  if (network === null)
    lines.push('It stands alone: data is on this machine only. Join a network with `galaxy-node join`.');
  else {
    const connected = peers.filter((peer) => peer.connected).length;
    const heard = network.registered ? 'registered with the coordinator' : 'the coordinator is away; serving goes on';
    lines.push(`Network "${network.name}" (${network.url}): ${heard}; ${connected} of ${peers.length} peers connected`);
    if (network.problem) lines.push(`Refused by the coordinator: ${network.problem}`);
    const { safe, atRisk } = copies;
    lines.push(
      `Safe (${copies.wanted} other holders): ${safe.objects} files, ${inBytes(safe.bytes)}`,
      atRisk.objects === 0 && copies.logEntriesAtRisk === 0
        ? 'At risk: nothing'
        : `At risk: ${atRisk.objects} files, ${inBytes(atRisk.bytes)}, the oldest for ${Math.round(atRisk.oldestAgeMs / 1000)} s; ${copies.logEntriesAtRisk} changes`,
    );
    if (copies.paused) lines.push('Copying is paused (replication.paused).');
  }
  lines.push(`Jobs: ${jobs.running} of ${jobs.slots} slots run, ${jobs.queued} wait`);
  lines.push(
    `Disk: ${report.disk.objects} files, ${inBytes(report.disk.bytes)}; ${inBytes(report.disk.freeBytes)} free`,
  );
  if (drain !== null) lines.push(`Drain: ${drain.state}`);
  for (const { file, message } of problems.slice(0, 20)) lines.push(`Tool not loaded: ${file}: ${message}`);
  return lines;
}

function inBytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let index = 0;
  while (size >= 1000 && index < units.length - 1) {
    size /= 1000;
    index += 1;
  }
  return `${index === 0 ? Math.round(size) : size.toFixed(1)} ${units[index]}`;
}
