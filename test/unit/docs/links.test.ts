import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileEntry } from '../jobs/compile.js';
import { catalogue } from './catalogue.js';
import { filesBelow, ROOT, textOf } from './markdown.js';

const documents = ['README.md', ...filesBelow('docs', '.md'), ...filesBelow('test/data', '.md')];

/** Text without code, where a bracket is no link. */
function prose(file: string): string {
  return textOf(file)
    .replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '')
    .replace(/`[^`\n]*`/g, 'x');
}

/** As forges make anchors of headings. */
function anchors(file: string): Set<string> {
  const text = textOf(file).replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '');
  return new Set(
    [...text.matchAll(/^#{1,6} +(.+)$/gm)].map((match) =>
      (match[1] as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    ),
  );
}

interface Link {
  file: string;
  target: string;
}

const links: Link[] = documents.flatMap((file) =>
  [...prose(file).matchAll(/\]\(([^)\s]+)\)/g), ...textOf(file).matchAll(/<img[^>]+src="([^"]+)"/g)].map((match) => ({
    file,
    target: match[1] as string,
  })),
);

describe('what the documents point to', () => {
  it('there are documents and links to look at', () => {
    expect(documents.length).toBeGreaterThan(15);
    expect(links.length).toBeGreaterThan(50);
  });

  it('every relative link leads to a file of the repository, and to a heading that is there', () => {
    const broken = links
      .filter(({ target }) => !/^[a-z]+:/.test(target))
      .filter(({ file, target }) => {
        const [path, anchor] = target.split('#') as [string, string?];
        const wanted = path === '' ? file : join(dirname(file), path);
        if (!existsSync(join(ROOT, wanted))) return true;
        return anchor !== undefined && wanted.endsWith('.md') && !anchors(wanted).has(anchor);
      })
      .map(({ file, target }) => `${file} → ${target}`);
    expect(broken).toEqual([]);
  });

  it('a source file that is named in backquotes is there', () => {
    const named = documents
      .filter((file) => !file.startsWith('docs/decisions/'))
      .flatMap((file) =>
        [
          ...textOf(file).matchAll(
            /`((?:protocol|node|coordinator|bin|test|docs)\/[\w./-]+\.(?:ts|proto|md|mjs|json|js|css|html))`/g,
          ),
        ].map((match) => ({ file, path: match[1] as string })),
      );
    expect(named.length).toBeGreaterThan(20);
    expect(
      named.filter(({ path }) => !existsSync(join(ROOT, path))).map(({ file, path }) => `${file} → ${path}`),
    ).toEqual([]);
  });
});

describe('the commands that are named', () => {
  const programs = ['galaxy-node', 'galaxy-coordinator'] as const;
  const compiled = programs.map((name) => compileEntry(`bin/${name}.ts`));
  afterAll(() => {
    for (const { remove } of compiled) remove();
  });

  /** Command → whether it is a group of others, by the programs' own help: a group takes no options. */
  function commandsOf(program: number, ...path: string[]): Map<string, boolean> {
    const entry = compiled[program]?.entry as string;
    const { stdout } = spawnSync(process.execPath, [entry, ...path, '--help'], { encoding: 'utf8', timeout: 30_000 });
    const list = stdout.split(/^Commands:$/m)[1]?.split(/^\S/m)[0] ?? '';
    const found = [...list.matchAll(/^ {2}(\w[\w-]*)( \[options\])?/gm)];
    return new Map(found.map((match) => [match[1] as string, match[2] === undefined]));
  }

  /** The words after the program's name, where it is written as a command: on a line of its own or in backquotes. */
  function named(text: string, program: string): string[][] {
    const found = text.matchAll(
      new RegExp(`(?:\`|^\\s*(?:\\$ |ExecStart=\\S*/|ExecStop=\\S*/)?)${program} ([a-z][\\w -]*)`, 'gm'),
    );
    return [...found].map((match) => (match[1] as string).trim().split(/ +/));
  }

  it.each(programs.map((name, index) => [name, index] as const))(
    'every command of %s is one that its help lists',
    async (program, index) => {
      const top = commandsOf(index);
      top.delete('help');
      expect(top.size).toBeGreaterThan(3);
      const below = new Map([...top].map(([name, isGroup]) => [name, isGroup ? commandsOf(index, name) : undefined]));
      const texts = [
        ...documents.map((file) => [file, textOf(file)] as const),
        ...(await catalogue()).map(({ code, say, mend }) => [code, `${say} ${mend}`] as const),
      ];
      const unknown = texts.flatMap(([where, text]) =>
        named(text, program)
          .filter(([first, second]) => {
            if (!below.has(first as string)) return true;
            const subcommands = below.get(first as string);
            return subcommands !== undefined && second !== undefined && !subcommands.has(second);
          })
          .map((words) => `${where}: ${program} ${words.slice(0, 2).join(' ')}`),
      );
      expect([...new Set(unknown)]).toEqual([]);
    },
  );

  it('every npm script that is named is in package.json', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const wanted = documents.flatMap((file) =>
      [...textOf(file).matchAll(/npm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
        (match) => match[1] ?? (match[2] as string),
      ),
    );
    expect(wanted).toContain('start');
    expect(wanted.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe('what must not be in a document', () => {
  it('no path of one machine, no registry, no address that is somebody else’s', () => {
    const wrong = documents.flatMap((file) =>
      [
        ...textOf(file).matchAll(
          /(?<![\w/.])\/(?:home|root|work|Users|tmp)\/\S*|\bregistry\.[\w-]+\.\w+|\b[\w.-]+\.(?:internal|local|lan)\b/g,
        ),
      ].map((match) => `${file}: ${match[0]}`),
    );
    expect(wrong).toEqual([]);
  });

  it('examples name addresses that are kept for examples', () => {
    const wrong = documents.flatMap((file) =>
      [...textOf(file).matchAll(/\b(\d{1,3}(?:\.\d{1,3}){3})\b/g)]
        .map((match) => match[1] as string)
        .filter((address) => !/^(127\.|0\.0\.0\.0$|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.)/.test(address))
        .map((address) => `${file}: ${address}`),
    );
    expect(wrong).toEqual([]);
  });
});
