/** The last screen of the demo: where everything is, how to sign in, and what to try. */
import { relative } from 'node:path';
import { packageRoot } from '../../protocol/runtime/package.js';
import { ACCOUNT, type Scene } from './scene.js';

export function lastScreen(scene: Scene): string[] {
  const { network } = scene;
  const [, home] = scene.home();
  const nodes = [...network.nodes.values()];
  const width = Math.max('The network'.length, ...nodes.map(({ place }) => place.name.length));
  const row = (name: string, url: string, what: string) => `  ${name.padEnd(width)}  ${url.padEnd(URL_WIDTH)}  ${what}`;
  return [
    'The network is up, and stays up until you press Ctrl+C.',
    '',
    row('The network', network.networkUrl, 'one address for all users'),
    row('', `${network.networkUrl}/peers`, 'its nodes, live'),
    ...nodes.map(({ place, ready }) => row(place.name, ready.url, 'a whole Galaxy; /node shows what is safe')),
    '',
    `Sign in at ${network.networkUrl}/`,
    `  e-mail    ${ACCOUNT.email}`,
    `  password  ${ACCOUNT.password}`,
    `  Her history "Phage lambda" has all that the story made. She is at home at ${home.place.name}.`,
    '',
    'Try:',
    '  · Upload something, open its copies at /node of her node, and watch it become safe.',
    '  · Leave the page open and take her node out of service; the page moves along:',
    `      ${command('galaxy-node', 'drain', home.folder)}`,
    '  · Or cut its power:',
    `      kill -9 -- -${home.ready.pid}`,
    '  · Who is there, once a second:',
    `      ${command('galaxy-coordinator', 'peers --watch', network.folderOf('coordinator'))}`,
    '  · Invite one more node:',
    `      ${command('galaxy-coordinator', 'invite --name "My Institute"', network.folderOf('coordinator'))}`,
  ];
}

const URL_WIDTH = 'http://127.0.1.1:65535/peers'.length;

/** As it can be pasted into a shell, from where `npm run demo` was called. */
function command(program: 'galaxy-node' | 'galaxy-coordinator', args: string, folder: string): string {
  const script = relative(process.cwd(), `${packageRoot()}/dist/bin/${program}.js`);
  return `node ${script} ${args} --data ${/^[\w./-]+$/.test(folder) ? folder : `'${folder}'`}`;
}
