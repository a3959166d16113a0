/** `import a.b as c, d` and `from a.b import c as d, e`, after the first word. */
import { unsupported } from './errors.js';
import type { Lexer } from './lexer.js';
import type { Import } from './syntax.js';

export function readImports(word: 'import' | 'from', lexer: Lexer, at: number): Import[] {
  return word === 'import' ? modules(lexer, at) : members(lexer, at);
}

function dotted(lexer: Lexer): string {
  let name = lexer.takeName('the name of a module');
  while (lexer.accept('.')) name += `.${lexer.takeName('the name of a module')}`;
  return name;
}

function alias(lexer: Lexer): string | undefined {
  return lexer.acceptWord('as') ? lexer.takeName('a name') : undefined;
}

function modules(lexer: Lexer, at: number): Import[] {
  const found: Import[] = [];
  do {
    const module = dotted(lexer);
    const name = alias(lexer);
    found.push({ module, member: undefined, name: name ?? module, at });
    // `import os.path` makes the name `os`.
    const [first = module] = module.split('.');
    if (name === undefined && first !== module) found.push({ module: first, member: undefined, name: first, at });
  } while (lexer.accept(','));
  return found;
}

function members(lexer: Lexer, at: number): Import[] {
  if (lexer.isOperator('.')) throw unsupported('a relative import', at);
  const module = dotted(lexer);
  lexer.expectWord('import');
  if (lexer.isOperator('*')) throw unsupported(`from ${module} import *`, at);
  const found: Import[] = [];
  const bracket = lexer.accept('(');
  if (bracket) lexer.enter();
  do {
    if (bracket && lexer.isOperator(')')) break;
    const member = lexer.takeName('a name to import');
    found.push({ module, member, name: alias(lexer) ?? member, at });
  } while (lexer.accept(','));
  if (bracket) {
    lexer.expect(')', "for the '('");
    lexer.leave();
  }
  return found;
}
