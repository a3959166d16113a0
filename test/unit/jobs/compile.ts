/**
 * A forked process cannot run TypeScript on Node 20: this writes an entry and all it imports as JavaScript below
 * .cache/, where packages are found, without checking types (that is done elsewhere). Once per test file.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../../..');

export interface Compiled {
  entry: string;
  remove(): void;
}

export function compileEntry(source: string): Compiled {
  const target = join(root, '.cache', `compiled-${process.pid}-${Buffer.from(source).toString('hex').slice(-12)}`);
  const done = new Set<string>();
  const compile = (file: string) => {
    if (done.has(file)) return;
    done.add(file);
    const text = readFileSync(file, 'utf8');
    const { outputText } = ts.transpileModule(text, {
      fileName: file,
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: false },
    });
    const output = join(target, relative(root, file)).replace(/\.ts$/, '.js');
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, outputText);
    for (const [, name] of outputText.matchAll(/(?:from|import)\s*['"](\.[^'"]+)['"]/g)) {
      compile(resolve(dirname(file), (name as string).replace(/\.js$/, '.ts')));
    }
  };
  compile(resolve(root, source));
  return {
    entry: join(target, source.replace(/\.ts$/, '.js')),
    remove: () => rmSync(target, { recursive: true, force: true }),
  };
}
