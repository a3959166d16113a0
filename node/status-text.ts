/** What `galaxy-node status` prints: the node's report in plain words, a line for each thing an operator asks. */
import { counted, inBytes, inTime } from '../protocol/runtime/amounts.js';
import type { NodeReport } from './node-status.js';

export function statusText(report: NodeReport, problems: readonly { file: string; message: string }[]): string[] {
  const { node, network, peers, jobs, copies, drain } = report;
  const lines = [`${node.name} (version ${node.version}) is ${node.state} at ${node.url}`];
  if (network === null)
    lines.push('It stands alone: data is on this machine only. Join a network with `galaxy-node join`.');
  else {
    const connected = peers.filter((peer) => peer.connected).length;
    const heard = network.registered ? 'registered with the coordinator' : 'the coordinator is away; serving goes on';
    lines.push(
      `Network "${network.name}" (${network.url}): ${heard}; ${connected} of ${counted(peers.length, 'peer')} connected`,
    );
    if (network.problem) lines.push(`Refused by the coordinator: ${network.problem}`);
    const { safe, atRisk } = copies;
    lines.push(
      `Safe (${counted(copies.wanted, 'other holder')}): ${counted(safe.objects, 'file')}, ${inBytes(safe.bytes)}`,
      atRisk.objects === 0 && copies.logEntriesAtRisk === 0
        ? 'At risk: nothing'
        : `At risk: ${counted(atRisk.objects, 'file')}, ${inBytes(atRisk.bytes)}, the oldest for ${inTime(atRisk.oldestAgeMs)}; ${counted(copies.logEntriesAtRisk, 'change')}`,
    );
    if (copies.paused) lines.push('Copying is paused (replication.paused).');
  }
  lines.push(
    `Jobs: ${jobs.running} of ${counted(jobs.slots, 'slot')} ${jobs.slots === 1 ? 'runs' : 'run'}, ${jobs.queued} ${jobs.queued === 1 ? 'waits' : 'wait'}`,
  );
  lines.push(
    `Disk: ${counted(report.disk.objects, 'file')}, ${inBytes(report.disk.bytes)}; ${inBytes(report.disk.freeBytes)} free`,
  );
  if (drain !== null) lines.push(...drain.text);
  for (const { file, message } of problems.slice(0, 20)) lines.push(`Tool not loaded: ${file}: ${message}`);
  return lines;
}
