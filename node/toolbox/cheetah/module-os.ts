/** `os.path` on POSIX paths: text only, but for what the caller says of files. Nothing here looks at the disk. */
import { typeError } from './errors.js';
import { define, textOf } from './functions.js';
import { iterate } from './iterate.js';
import { Callable, type Meter, plain, Tuple, type Value, WEIGHT } from './values.js';

const pathText = (given: Value | undefined) => textOf(given, 'expected str, bytes or os.PathLike object; the path');

function joined(paths: readonly Value[]): string {
  const [first = '', ...rest] = paths.map(pathText);
  let path = first;
  for (const part of rest) {
    if (part.startsWith('/')) path = part;
    else path += path === '' || path.endsWith('/') ? part : `/${part}`;
  }
  return path;
}

function split(path: string): [head: string, tail: string] {
  const at = path.lastIndexOf('/') + 1;
  const head = path.slice(0, at);
  return [/^\/*$/.test(head) ? head : head.replace(/\/+$/, ''), path.slice(at)];
}

/** The extension is what follows the last dot, when more than dots come before it. */
function splitExtension(path: string): [root: string, extension: string] {
  const slash = path.lastIndexOf('/') + 1;
  const dot = path.lastIndexOf('.');
  if (dot < slash || /^\.*$/.test(path.slice(slash, dot))) return [path, ''];
  return [path.slice(0, dot), path.slice(dot)];
}

function normal(path: string): string {
  if (path === '') return '.';
  const lead = path.startsWith('//') && !path.startsWith('///') ? '//' : path.startsWith('/') ? '/' : '';
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..' || (lead === '' && kept.length === 0) || kept.at(-1) === '..') kept.push(part);
    else kept.pop();
  }
  return lead + kept.join('/') || '.';
}

function relative(path: string, start: string): string {
  const [to, from] = [path, start].map((one) =>
    normal(one)
      .split('/')
      .filter((part) => part !== '' && part !== '.'),
  );
  if (path.startsWith('/') !== start.startsWith('/')) {
    throw typeError('relpath() of one absolute and one relative path needs the current folder');
  }
  let same = 0;
  while (to?.[same] !== undefined && to[same] === from?.[same]) same++;
  const parts = [...Array.from({ length: (from?.length ?? 0) - same }, () => '..'), ...(to?.slice(same) ?? [])];
  return parts.join('/') || '.';
}

function commonPrefix(items: readonly Value[]): string {
  const [first = '', ...rest] = items.map(pathText);
  let length = first.length;
  for (const other of rest) while (!other.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

function path(name: string, body: (path: string, meter: Meter) => Value): [string, Value] {
  return [name, define(name, 'path', ([given], meter) => body(pathText(given), meter))];
}

export const OS_PATH: readonly [string, Value][] = [
  [
    'join',
    new Callable('join', ({ positional }, meter) => {
      meter.step(1 + positional.length);
      if (positional.length === 0) throw typeError("join() missing 1 required positional argument: 'a'");
      const path = joined(positional);
      meter.size(path.length, WEIGHT.character);
      return path;
    }),
  ],
  path('basename', (given) => split(given)[1]),
  path('dirname', (given) => split(given)[0]),
  path('split', (given) => new Tuple(split(given))),
  path('splitext', (given) => new Tuple(splitExtension(given))),
  path('normpath', normal),
  path('abspath', (given) => absolute(given)),
  path('realpath', (given) => absolute(given)),
  path('isabs', (given) => given.startsWith('/')),
  path('expanduser', (given) => given),
  path('exists', (given, { files }) => files.exists(given)),
  path('lexists', (given, { files }) => files.exists(given)),
  path('isfile', (given, { files }) => files.isFile(given)),
  path('isdir', (given, { files }) => files.isFolder(given)),
  path('islink', () => false),
  [
    'relpath',
    define('relpath', 'path start?', ([given, start]) =>
      relative(pathText(given), start === undefined ? '.' : pathText(start)),
    ),
  ],
  [
    'commonprefix',
    define('commonprefix', 'list', ([items = null], meter) => commonPrefix(iterate(plain(items), meter))),
  ],
  ['sep', '/'],
  ['extsep', '.'],
  ['pardir', '..'],
  ['curdir', '.'],
];

/** A relative path has no folder that it is relative to: a template runs before its job has one. */
function absolute(path: string): string {
  if (!path.startsWith('/'))
    throw typeError('the absolute path of a relative one is not known when a template is rendered');
  return normal(path);
}
