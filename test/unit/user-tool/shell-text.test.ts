/** What a real shell makes of values in every place of a command. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MARKINGS, mark, piecesOf, unmark } from '../../../node/toolbox/user-tool/marks.js';
import { shellText } from '../../../node/toolbox/user-tool/shell-text.js';

const SPOT = { file: 'tool.yml', line: 7 };

/** `@` stands for the value. */
function script(template: string, value: string): { script: string; shown: string } {
  const pieces = piecesOf(
    value,
    MARKINGS.map((marking) => mark(value, marking)),
    true,
  );
  const parts = template
    .split('@')
    .flatMap((text, index) => (index === 0 ? [{ text }] : [{ pieces, spot: SPOT }, { text }]));
  return shellText(parts);
}

function run(text: string, shell = 'sh'): string {
  return execFileSync(shell, ['-c', text], { encoding: 'utf8', timeout: 10_000 });
}

const NASTY = [
  `it's`,
  '"',
  '$(touch /tmp/escaped)',
  '`touch /tmp/escaped`',
  '${HOME}',
  '$HOME',
  'a\nb',
  'a; touch /tmp/escaped',
  'a && b || c | d > e < f',
  '-rf',
  '--help',
  '\\',
  "\\'",
  `'"'"'`,
  '*',
  '~',
  '#no',
  'a b  c',
  '\t',
  '!!',
  '{a,b}',
  'EOF',
  '\nEOF\ntouch /tmp/escaped\n',
  'ü € 𝒳',
  '\ue027; x',
  '%s%n',
  'x[$(touch /tmp/escaped)]',
];

const PLACES: [name: string, template: string, expected: (value: string) => string][] = [
  ['outside of quotes', 'printf "%s|" @ end', (value) => (value === '' ? 'end|' : `${value}|end|`)],
  ['within single quotes', `printf '%s|' 'a@z'`, (value) => `a${value}z|`],
  ['within double quotes', 'printf "%s|" "a@z"', (value) => `a${value}z|`],
  ['joined to a word', 'printf "%s|" --name=@.txt', (value) => `--name=${value}.txt|`],
  ['in a command within double quotes', 'printf "%s|" "$(printf "%s" "@"; printf x)"', (value) => `${value}x|`],
  ['in a command within a command', `printf '%s|' "$(printf '%s' "$(printf '%s' @x)")"`, (value) => `${value}x|`],
  ['in a here-document', 'cat <<EOF\na @ z\nEOF\n', (value) => `a ${value} z\n`],
  ['alone in a line of a here-document', 'cat <<EOF\n@\nEOF\n', (value) => `${value}\n`],
  ['in a here-document with tabs', 'cat <<-EOF\n\ta @ z\n\tEOF\n', (value) => `a ${value} z\n`],
  ['after a comment with a quote', `# it's\nprintf '%s|' '@'`, (value) => `${value}|`],
  ['after a here-document with a quote', `cat <<EOF\nit's\nEOF\nprintf '%s|' '@'`, (value) => `it's\n${value}|`],
  ['in an assignment', 'a=@; printf "%s|" "$a"', (value) => `${value}|`],
  ['after an escaped quote', `printf '%s|' \\'"@"`, (value) => `'${value}|`],
];

describe('a value in a command', () => {
  it.each(PLACES)('is one and the same text %s', (_, template, expected) => {
    for (const value of NASTY) {
      for (const shell of ['sh', 'bash']) expect(run(script(template, value).script, shell)).toBe(expected(value));
    }
  });

  it.each(PLACES)('stays what it is, whatever it is, %s', (_, template, expected) => {
    const value = fc.string({ unit: fc.constantFrom(...`'"\\$\`(){};&|<>*?[]#~!= \n\tab-0@ü`), maxLength: 12 });
    fc.assert(
      fc.property(value, (text) => run(script(template, text).script) === expected(text)),
      { numRuns: 40 },
    );
  });

  it('is never part of what the shell reads as code', () => {
    for (const [, template] of PLACES) {
      for (const value of NASTY) {
        const lines = script(template, value).script.split('\n');
        const assignment = /^galaxy_value_\d+='/;
        expect(lines.some((line) => assignment.test(line))).toBe(true);
      }
    }
    expect(script('echo @ "@" \'@\'', 'a b').script).toBe(
      `galaxy_value_1='a b'\necho "\${galaxy_value_1}" "\${galaxy_value_1}" ''"\${galaxy_value_1}"''`,
    );
  });

  it.each([
    ['in arithmetic', 'echo $((1 + @))'],
    ['in arithmetic', 'echo "$(( (1) + @ ))"'],
    ['in arithmetic', '((@))'],
    ['between back quotes', 'echo `cat @`'],
    ['within braces of the shell', 'echo ${a:-@}'],
    ['in a command that reads its arguments as commands', 'eval "echo @"'],
    ['in a command that reads its arguments as commands', `sh -c 'echo @'`],
    ['in a command that reads its arguments as commands', 'true; if bash -ec "@"; then :; fi'],
    ['in a command that reads its arguments as commands', 'trap "@" EXIT'],
    ['within [[ … ]]; write [ … ]', '[[ a && @ -eq 1 ]]'],
    ['in a here-document whose word is quoted', `cat <<'EOF'\n@\nEOF\n`],
    ['as the word of a here-document', 'cat << @\n'],
    ['after a backslash', 'echo \\@'],
    ['after a dollar sign', 'echo $@'],
  ])('is refused %s: %s', (place, template) => {
    expect(() => script(template, 'a b')).toThrow(
      expect.objectContaining({
        code: 'toolbox/expression',
        data: { file: 'tool.yml', line: 7, reason: `a value cannot stand ${place}` },
      }),
    );
  });

  it('may stand again where these have ended', () => {
    expect(run(script('a=$((1 + 2)); [ 1 = 1 ] && printf "%s|" "$a" @', 'x y').script)).toBe('3|x y|');
    expect(run(script('sh -c "exit 0"; printf "%s|" @', 'x y').script)).toBe('x y|');
    expect(run(script('[[ 1 -eq 1 ]] && printf "%s|" @', 'x y').script, 'bash')).toBe('x y|');
  });

  it('with a NUL character is refused', () => {
    expect(() => script('echo @', 'a\u0000b')).toThrow('NUL');
  });

  it('is shown to people as if it stood there', () => {
    expect(script(`grep @ "@" '@'`, `it's $5`).shown).toBe(`grep 'it'\\''s $5' "it's \\$5" 'it'\\''s $5'`);
  });
});

describe('marks', () => {
  it('come off again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) =>
        MARKINGS.every((marking) => unmark(mark(text, marking)) === text),
      ),
    );
  });

  it('tell what the author wrote from what a user wrote', () => {
    const user = `a b'c`;
    expect(
      piecesOf(
        `x '${user}' y`,
        MARKINGS.map((one) => `x '${mark(user, one)}' y`),
        true,
      ),
    ).toEqual([
      { by: 'author', text: `x '` },
      { by: 'user', text: user },
      { by: 'author', text: `' y` },
    ]);
  });

  it('give everything to the user when the expression looked at a marked character', () => {
    expect(piecesOf(`'a' 'b'`, [`'${mark('a b', 'all')}'`, `'${mark('a b', 'special')}'`], true)).toEqual([
      { by: 'user', text: `'a' 'b'` },
    ]);
    expect(piecesOf('yes', ['no', 'yes'], true)).toEqual([{ by: 'author', text: 'yes' }]);
    expect(piecesOf(`it's`, [], true)).toEqual([{ by: 'user', text: `it's` }]);
  });

  it('leave numbers and words of JSON to the command, and take lists and objects as one text', () => {
    expect(piecesOf('-1.5e+3', [], false)).toEqual([{ by: 'author', text: '-1.5e+3' }]);
    expect(piecesOf('true', [], false)).toEqual([{ by: 'author', text: 'true' }]);
    expect(piecesOf('["a"]', [], false)).toEqual([{ by: 'user', text: '["a"]' }]);
  });
});
