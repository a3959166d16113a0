/** A word to one shell may be the program of the next one. What is refused is shown to be code, by real shells. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellText } from '../../../node/toolbox/user-tool/shell-text.js';

const SPOT = { file: 'tool.yml', line: 7 };

/** `@` stands for the value. */
function script(template: string, value: string): string {
  const parts = template
    .split('@')
    .flatMap((text, index) =>
      index === 0 ? [{ text }] : [{ pieces: [{ by: 'user' as const, text: value }], spot: SPOT }, { text }],
    );
  return shellText(parts).script;
}

function run(text: string, shell: string): string {
  return execFileSync(shell, ['-c', text], { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Harmless when it is a text, and prints HIT when a shell runs it. */
const HIT = 'HI""T';
const CODE = `echo ${HIT}`;

/** With `sh` and `bash` each of these would run the value, were it put there. */
const RUN_BY_BOTH = [
  'sh <<EOF\n@\nEOF\n',
  'bash <<EOF\ntrue\n@\nEOF\n',
  'sh -s <<EOF\n@\nEOF\n',
  'sh -s a b <<-EOF\n\t@\n\tEOF\n',
  'bash -o pipefail <<EOF\n@\nEOF\n',
  'sh /dev/stdin <<EOF\n@\nEOF\n',
  'sh <<1X\n@\n1X\n',
  'sh <<EOF # a comment\n@\nEOF\n',
  'cat <<A; sh <<B\na\nA\n@\nB\n',
  'sh <<"A" <<B\ntrue\nA\n@\nB\n',
  'cat <<EOF | sh\n@\nEOF\n',
  'cat <<EOF |\n@\nEOF\nsh\n',
  'cat <<EOF | cat | bash -s\n@\nEOF\n',
  'echo "@" | sh',
  'printf "%s\\n" "@" | LC_ALL=C bash',
  'echo "@" | env X=1 sh',
  'echo "$(echo @)" | sh',
  '{ echo "@"; echo true; } | sh',
  '(echo "@"; echo true) | sh',
  'for a in 1; do echo "@"; done | sh',
  'echo "@" | (cd / && sh)',
  'echo "@" | { true; sh; }',
  '{ sh; } <<EOF\n@\nEOF\n',
  'if true; then sh; fi <<EOF\n@\nEOF\n',
  'cat <<EOF\n$(eval "@")\nEOF\n',
  'cat <<EOF\n$(sh <<IN\n@\nIN\n)\nEOF\n',
  'LC_ALL=C eval "@"',
  'A=1 B=2 eval "@"',
  'command eval "@"',
  '2>/dev/null eval "@"',
  'ev\\\nal "@"',
  'run() { sh; }; echo "@" | run',
  'a=$(echo "@" | sh); echo "$a"',
  'if echo "@" | sh; then :; fi',
  'echo "@" | sh & wait',
  'env -S "sh -c \'@\'"',
  '\\eval "@"',
  'ev\'al\' "@"',
  'case a in a) eval "@";; esac',
  'echo "$(case a in a) eval "@";; esac)"',
  'f() { eval "@"; }; f',
  'exec sh -c "@"',
  'env X=1 sh -c "@"',
  'timeout 5 sh -c "@"',
  'nice sh -c "@"',
  'nice -n 1 sh -c "$(echo a >/dev/null) @"',
  'sh 2>&1 -c "@"',
  'echo a | xargs sh -c "@"',
  'echo "@" | xargs -I{} sh -c "{}"',
  '"/bin/sh" -c "@"',
  '${SHELL:+/bin/}sh -c "@"',
  'find / -maxdepth 0 -exec sh -c "@" ";"',
  'eval "$(cat <<EOF\n@\nEOF\n)"',
  'sh -c "$(printf %s "@")"',
];
const RUN_BY_BASH = [
  'bash <<< "@"',
  '<<< "@" bash',
  'builtin eval "@"',
  'cat <<< "@" | sh',
  'bash <(echo "@")',
  'source <(echo "@")',
  'source /dev/stdin <<< "@"',
  'echo "@" | tee >(sh) >/dev/null | cat',
  'echo "@" |& sh',
];

/** As an author would have it who puts values in by hand. */
function unguarded(template: string, value: string): string {
  return `v='${value}'\n${template.replace('@', '${v}')}`;
}

function refusalOf(template: string, value = CODE): string {
  try {
    script(template, value);
  } catch (error) {
    return (error as { data?: { reason?: string } }).data?.reason ?? String(error);
  }
  return 'it was taken';
}

describe('a value that something would run', () => {
  it.each(RUN_BY_BOTH)('is refused: %j', (template) => {
    for (const shell of ['sh', 'bash']) expect(run(unguarded(template, CODE), shell)).toContain('HIT');
    expect(refusalOf(template)).toMatch(/^a value cannot stand in /);
  });

  it.each(RUN_BY_BASH)('is refused in what is of bash alone: %j', (template) => {
    expect(run(unguarded(template, CODE), 'bash')).toContain('HIT');
    expect(refusalOf(template)).toMatch(/^a value cannot stand in /);
  });

  it.each([
    'python -c "print(\'@\')"',
    'python3 -uc "print(\'@\')"',
    'perl -e \'print "@"\'',
    'perl -lane "print @" x',
    'perl -i.bak -pe "s/a/@/" x',
    'ruby -ne "puts @"',
    'node --eval="@"',
    'Rscript -e "cat(\'@\')"',
    'php -r "echo @;"',
    'awk "{ print \\"@\\" }" x',
    "awk -F '\\t' -v a=1 '$1 == \"@\"' x",
    'gawk --source="@" x',
    'sed "s/@/b/" x',
    'sed -i -e "s/a/b/" -e "s/@/b/" x',
    'sed --expression=s/@/b/ x',
    'sed -n @p x',
    'python <<EOF\nprint("@")\nEOF\n',
    'python3 - a <<EOF\nprint("@")\nEOF\n',
    'timeout 5 R --vanilla <<EOF\n@\nEOF\n',
    'echo "@" | perl',
    'ssh host echo "@"',
    'ssh host <<EOF\n@\nEOF\n',
    'su -c "@"',
    'su - user -c "@"',
    'bash -O extglob -c "@"',
    "perl -Mstrict -pe's/a/@/' x",
    "sed -i.bak 's/a/@/' x",
    'bash &>log -c "@"',
    'parallel "@" ::: a',
    'declare -i a=@',
    'export "@"',
    'printf -v "@" x',
    'read @',
    '[ -v @ ]',
  ])('is refused in other programs: %j', (template) => {
    expect(refusalOf(template)).toMatch(/^a value cannot stand in /);
  });

  it('is refused as the name of a command, and as an option of who would run it', () => {
    expect(refusalOf('@ a')).toBe('a value cannot stand as the name of a command');
    expect(refusalOf('true && @ a')).toBe('a value cannot stand as the name of a command');
    expect(refusalOf('perl @ a', '-esystem("id")')).toMatch(/perl/);
    expect(refusalOf('sed s/a/b/ @', '-e1e id')).toMatch(/sed/);
    expect(refusalOf('sed s/a/b/ -- @', '-e1e id')).toBe('it was taken');
  });

  it('is refused with the program that would run it', () => {
    expect(refusalOf('cat <<EOF | python3\n@\nEOF\n')).toBe(
      'a value cannot stand in what python3 reads as its program',
    );
    expect(refusalOf('awk "@" x')).toBe('a value cannot stand in the program that awk runs; give it as an argument');
  });
});

describe('a value that nobody runs', () => {
  it.each([
    ['cat <<EOF\n@\nEOF\n', `${CODE}\n`],
    ['cat <<EOF | cat\n@\nEOF\n', `${CODE}\n`],
    ['cat <<EOF\n$(printf %s "@")\nEOF\n', `${CODE}\n`],
    ["sh <<'EOF'\necho a\nEOF\nprintf %s @", `a\n${CODE}`],
    ['sh -s @ <<\'EOF\'\nprintf %s "$1"\nEOF\n', CODE],
    ['echo "echo a" | sh; printf %s @', `a\n${CODE}`],
    ['cat <<EOF\n@\nEOF\necho "echo a" | sh', `${CODE}\na\n`],
    ['awk -v x=@ "BEGIN { print x }"', `${CODE}\n`],
    ["awk 'BEGIN { print ARGV[1] }' @", `${CODE}\n`],
    ['printf "%s\\n" @ | awk \'{ print }\'', `${CODE}\n`],
    ['cat <<EOF | sed s/a/b/\n@\nEOF\n', `${CODE}\n`],
    ['export X=@; printf %s "$X"', CODE],
    ['LC_ALL=C X=@ env printf %s @', CODE],
    ['command -v sh >/dev/null && printf %s @', CODE],
    ['sh --version >/dev/null 2>&1; printf %s @', CODE],
    ['case @ in echo*) printf %s @;; esac', CODE],
    ['printf %s @ 2>&1 | cat', CODE],
    ['printf %s \\\n  @', CODE],
    ['for x in @; do printf %s "$x"; done', CODE],
    ['[ @ = x ] || printf %s @', CODE],
    ['printf %s "$(basename @ .txt)"', CODE],
  ])('is taken: %j', (template, expected) => {
    for (const shell of ['sh', 'bash']) expect(run(script(template, CODE), shell)).toBe(expected);
  });

  it('is taken where a script reads it', () => {
    for (const template of [
      'python script.py @',
      'python -u "$__tool_directory__/script.py" --name @ --title="@"',
      'python -m tool @',
      "python -c 'import sys' @",
      "python3 - @ <<'EOF'\nimport sys\nEOF\n",
      'cat <<EOF | python script.py\n@\nEOF\n',
      'Rscript --vanilla script.R @',
      'perl -I lib script.pl @',
      'bash script.sh @',
      'sh script.sh <<EOF\n@\nEOF\n',
      "perl -ne 'print' @",
      'sed -f program.sed @',
      'sed -n -e 1p @',
      'which python; tool @',
    ]) {
      expect([template, refusalOf(template)]).toEqual([template, 'it was taken']);
    }
  });
});
