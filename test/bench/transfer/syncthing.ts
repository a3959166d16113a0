/**
 * Two Syncthings with folders of their own, known to each other by address alone: no discovery, no relays, no watching.
 * Its scan is not counted: the clock starts when the receiver, who knows nothing yet, is connected to a sender that has
 * scanned. It fsyncs what it receives, as it does by default.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../protocol/runtime/clock.js';
import type { Contender, Measured } from './contender.js';
import type { Material } from './material.js';
import { freePort, programPath, type Running, run, Scales, until } from './programs.js';

const START_MS = 30_000;
const TRANSFER_MS = 10 * 60_000;
const POLL_MS = 20;
const FOLDER = 'bench';

interface Side {
  id: string;
  home: string;
  content: string;
  apiKey: string;
  apiPort: number;
  port: number;
}

export class Syncthing implements Contender {
  readonly name = 'syncthing';

  async unavailable(): Promise<string | undefined> {
    return programPath('syncthing') === undefined ? 'syncthing is not installed' : undefined;
  }

  async run(material: Material, folder: string): Promise<Measured> {
    const received = join(folder, 'received');
    await mkdir(received, { recursive: true });
    const sender = await this.makeSide(join(folder, 'sender'), material.folder);
    const receiver = await this.makeSide(join(folder, 'receiver'), received);
    await writeConfig(sender, receiver, 'sendonly');
    await writeConfig(receiver, sender, 'receiveonly');
    const running: Running[] = [];
    try {
      running.push(await this.start(sender));
      await call(sender, 'POST', `/rest/db/scan?folder=${FOLDER}`);
      await until(
        'the scan',
        async () => (await status(sender)).localBytes === material.bytes && (await status(sender)).state === 'idle',
        TRANSFER_MS,
      );
      running.push(await this.start(receiver));
      const scales = new Scales(...running);
      try {
        await until('the connection', () => isConnected(receiver, sender), START_MS, POLL_MS);
        const begun = systemClock.monotonic();
        await until('the end of the transfer', () => isComplete(receiver, material), TRANSFER_MS, POLL_MS);
        return { ms: systemClock.monotonic() - begun, peakBytes: scales.end(), received };
      } finally {
        scales.end();
      }
    } finally {
      for (const program of running) await program.stop();
    }
  }

  private async makeSide(home: string, content: string): Promise<Side> {
    await mkdir(home, { recursive: true });
    const generate = run(programPath('syncthing') as string, ['generate', `--home=${home}`, '--no-default-folder']);
    await generate.done();
    const id = /<device id="([A-Z0-9-]+)"/.exec(await readFile(join(home, 'config.xml'), 'utf8'))?.[1];
    if (id === undefined) throw new Error('Syncthing generated no device');
    const apiKey = randomBytes(16).toString('hex');
    return { id, home, content, apiKey, apiPort: await freePort(), port: await freePort() };
  }

  private async start(side: Side): Promise<Running> {
    const args = [
      'serve',
      `--home=${side.home}`,
      '--no-browser',
      '--no-restart',
      '--no-upgrade',
      '--skip-port-probing',
    ];
    const program = run(programPath('syncthing') as string, args, { ...process.env, STNOUPGRADE: '1' });
    const isReady = () => call(side, 'GET', '/rest/system/ping').then(Boolean, () => !program.isRunning);
    try {
      await until('the start of Syncthing', isReady, START_MS);
      if (!program.isRunning) throw program.failure('did not start');
      return program;
    } catch (error) {
      await program.stop();
      throw error;
    }
  }
}

async function isConnected(side: Side, other: Side): Promise<boolean> {
  const answer = (await call(side, 'GET', '/rest/system/connections')) as {
    connections: Record<string, { connected: boolean } | undefined>;
  };
  return answer.connections[other.id]?.connected === true;
}

interface Status {
  state: string;
  localBytes: number;
  localFiles: number;
  needTotalItems: number;
}

async function status(side: Side): Promise<Status> {
  return (await call(side, 'GET', `/rest/db/status?folder=${FOLDER}`)) as Status;
}

async function isComplete(side: Side, { bytes, files }: Material): Promise<boolean> {
  const { state, localBytes, localFiles, needTotalItems } = await status(side);
  return localBytes === bytes && localFiles === files && needTotalItems === 0 && state === 'idle';
}

async function call({ apiPort, apiKey }: Side, method: string, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, { method, headers: { 'X-API-Key': apiKey } });
  const text = await response.text();
  if (!response.ok) throw new Error(`Syncthing answered ${response.status} to ${path}: ${text.slice(0, 200)}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function writeConfig(side: Side, other: Side, type: 'sendonly' | 'receiveonly'): Promise<void> {
  const device = ({ id, port }: Side) => `<device id="${id}" compression="never">
    <address>tcp://127.0.0.1:${port}</address>
  </device>`;
  // The lowest priority, its default, would only measure who else works on this machine.
  const config = `<configuration version="36">
  <folder id="${FOLDER}" path="${xml(side.content)}" type="${type}" rescanIntervalS="0" fsWatcherEnabled="false">
    <device id="${side.id}"></device>
    <device id="${other.id}"></device>
    <minDiskFree unit="%">0</minDiskFree>
    <markerName>.</markerName>
  </folder>
  ${device(side)}
  ${device(other)}
  <gui enabled="true" tls="false">
    <address>127.0.0.1:${side.apiPort}</address>
    <apikey>${side.apiKey}</apikey>
  </gui>
  <options>
    <listenAddress>tcp://127.0.0.1:${side.port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <stunKeepaliveStartS>0</stunKeepaliveStartS>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <setLowPriority>false</setLowPriority>
    <minHomeDiskFree unit="%">0</minHomeDiskFree>
  </options>
</configuration>
`;
  await writeFile(join(side.home, 'config.xml'), config);
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
