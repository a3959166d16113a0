/**
 * Every error of both programs, with the file that declares it. A file that only declares is imported, so that the
 * running registry is what is read; the two programs themselves would start when imported, so theirs is read from their
 * source.
 */
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { allErrors, type ErrorSpec } from '../../../protocol/runtime/errors.js';
import { filesBelow, ROOT, textOf } from './markdown.js';

export interface DeclaredError extends ErrorSpec {
  code: string;
  file: string;
}

const PROGRAMS = ['bin/galaxy-node.ts', 'bin/galaxy-coordinator.ts', 'bin/demo.ts'];
const DEFINITION = 'protocol/runtime/errors.ts';

export function declaringFiles(folders = ['protocol', 'node', 'coordinator', 'bin']): string[] {
  return folders
    .flatMap((folder) => filesBelow(folder, '.ts'))
    .filter((file) => file !== DEFINITION && /\bdefineErrors\(/.test(textOf(file)));
}

/** In order of their codes. */
export async function catalogue(): Promise<DeclaredError[]> {
  const files = declaringFiles();
  const declaredIn = new Map(files.flatMap((file) => codesIn(file).map((error) => [error.code, { ...error, file }])));
  for (const file of files) {
    if (!PROGRAMS.includes(file)) await import(pathToFileURL(`${ROOT}/${file}`).href);
  }
  // Files of tests share one registry: what they declare for themselves is not the programs'.
  const ofTests = new Set(declaringFiles(['test']).flatMap((file) => codesIn(file).map(({ code }) => code)));
  const found = new Map<string, DeclaredError>();
  for (const [code, spec] of allErrors()) {
    if (ofTests.has(code)) continue;
    found.set(code, { ...spec, code, file: declaredIn.get(code)?.file ?? '' });
  }
  for (const [code, error] of declaredIn) if (PROGRAMS.includes(error.file)) found.set(code, error);
  return [...found.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** What a file's calls of `defineErrors` say, as far as it is written out in literals. */
export function codesIn(file: string): Omit<DeclaredError, 'file'>[] {
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2023, true);
  const errors: Omit<DeclaredError, 'file'>[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText(source) === 'defineErrors') {
      const [area, specs] = node.arguments;
      if (area && ts.isStringLiteral(area) && specs && ts.isObjectLiteralExpression(specs)) {
        for (const [name, spec] of propertiesOf(specs)) {
          if (!ts.isObjectLiteralExpression(spec)) continue;
          const texts = new Map(propertiesOf(spec).map(([key, value]) => [key, literal(value)]));
          errors.push({
            code: `${area.text}/${name}`,
            kind: (texts.get('kind') ?? 'internal') as ErrorSpec['kind'],
            say: texts.get('say') ?? '',
            mend: texts.get('mend') ?? '',
          });
        }
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return errors;
}

function propertiesOf(object: ts.ObjectLiteralExpression): [string, ts.Expression][] {
  return object.properties.filter(ts.isPropertyAssignment).map(({ name, initializer }) => {
    return [ts.isStringLiteral(name) ? name.text : name.getText(), initializer];
  });
}

function literal(value: ts.Expression): string {
  return ts.isStringLiteralLike(value) ? value.text : '';
}
