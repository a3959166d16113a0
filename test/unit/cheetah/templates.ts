/** Templates made at random from a grammar: nested directives and typed expressions over the names that are given. */
import fc from 'fast-check';
import type { Names } from './render.js';

type Text = fc.Arbitrary<string>;

/** Names, as tool parameters have them. `a b` are integers, `s u` texts, `l` integers, `w` texts, `d` a dictionary. */
export const names: fc.Arbitrary<Names> = fc.record({
  a: fc.integer({ min: -20, max: 20 }),
  b: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: 2 ** 40, max: 2 ** 52 })),
  s: fc.constantFrom('', 'abc', 'a,b,c', 'Hello World', "it's", 'é-ü', ' pad ', 'x'.repeat(5)),
  u: fc.constantFrom('a', 'bc', 'set_seed', '10', '%s'),
  l: fc.array(fc.integer({ min: -5, max: 9 }), { maxLength: 4 }),
  w: fc.array(fc.constantFrom('a', 'B', 'cc', ''), { maxLength: 4 }),
  d: fc.record({ k: fc.constantFrom('v', 'w'), n: fc.integer({ min: 0, max: 5 }), m: fc.record({ z: fc.boolean() }) }),
});

const joined = (...parts: (string | Text)[]): Text =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''));

interface Grammar {
  int: string;
  float: string;
  text: string;
  list: string;
  truth: string;
}

/** Expressions by their type. Within comprehensions `v` is a plain name. */
const expressions = fc.letrec<Grammar>((tie) => {
  const int = tie('int') as Text;
  const float = tie('float') as Text;
  const text = tie('text') as Text;
  const list = tie('list') as Text;
  const truth = tie('truth') as Text;
  const size = { depthSize: 'small' as const, withCrossShrink: true };
  return {
    int: fc.oneof(
      size,
      fc.constantFrom('0', '1', '7', '$a', '$b', '-3', '$d.n', "$d['n']", 'len($s)', 'len($l)', '10 ** 12'),
      joined('(', int, fc.constantFrom(' + ', ' - ', ' * ', ' // ', ' % ', ' & ', ' | '), int, ')'),
      joined('abs(', int, ')'),
      joined('int(', float, ')'),
      joined('int(str(', int, '))'),
      joined('(', int, ' if ', truth, ' else ', int, ')'),
      joined('len(', text, ')'),
      joined('sum(', list, ')'),
      joined('max(', int, ', ', int, ')'),
      joined(text, '.count(', text, ')'),
      joined(list, '[', fc.constantFrom('0', '-1', '1'), ']'),
      joined('round(', float, ')'),
    ),
    float: fc.oneof(
      size,
      fc.constantFrom('0.5', '2.25', '1e20', '-1.5', 'float($a)', '1e-7', '3.0'),
      joined('(', int, ' / ', int, ')'),
      joined('(', float, fc.constantFrom(' + ', ' * ', ' - ', ' // ', ' % '), float, ')'),
      joined('round(', float, ', ', fc.constantFrom('0', '1', '2', '-1'), ')'),
    ),
    text: fc.oneof(
      size,
      fc.constantFrom("'lit'", '"q\'"', '$s', '$u', '$d.k', "$d['k']", "''", '$s.upper()', "'\\n'"),
      joined('(', text, ' + ', text, ')'),
      joined('(', text, ' * ', fc.constantFrom('0', '2', '3'), ')'),
      joined('str(', fc.oneof(int, float, list, truth, text), ')'),
      joined('repr(', fc.oneof(float, list, text), ')'),
      joined("('%s-%s' % (", text, ', ', int, '))'),
      joined('(', fc.constantFrom("'%5.2f'", "'%g'", "'%e'", "'%08.3f'", "'%.0f'"), ' % ', float, ')'),
      joined('(', fc.constantFrom("'%d'", "'%05d'", "'%x'", "'%+d'"), ' % ', int, ')'),
      joined("'{}:{:>4}'.format(", text, ', ', int, ')'),
      joined(fc.constantFrom("'{:.3f}'", "'{:g}'", "'{:10.2e}'", "'{:,.1f}'"), '.format(', float, ')'),
      joined(
        text,
        fc.constantFrom('.lower()', '.strip()', '.title()', ".replace('a', 'zz')", '[1:]', '[::-1]', '[-2:]'),
      ),
      joined("','.join([str(v) for v in ", list, '])'),
      joined("'-'.join($w)"),
      joined('(', text, ' if ', truth, ' else ', text, ')'),
      joined(text, ".split('", fc.constantFrom(',', 'a', ' '), "')[0]"),
      joined(
        "re.sub('",
        fc.constantFrom('[^a-z]', '(a|b)+', '^.', 'l*', '[lo]{1,2}', '(.)\\\\1'),
        "', '_', ",
        text,
        ')',
      ),
    ),
    list: fc.oneof(
      size,
      fc.constantFrom('$l', '[]', '[1, 2]', 'list(range(3))', '[$a, $d.n]'),
      joined('(', list, ' + ', list, ')'),
      joined('[v * 2 for v in ', list, ' if v > ', fc.constantFrom('0', '1'), ']'),
      joined('sorted(', list, ')'),
      joined('sorted(', list, ', reverse=True)'),
      joined('sorted(', list, ', key=lambda v: -v)'),
      joined('list(map(lambda v: v + 1, ', list, '))'),
      joined(list, fc.constantFrom('[1:]', '[::-1]', '[:2]')),
      joined('[', int, ', ', int, ']'),
    ),
    truth: fc.oneof(
      size,
      fc.constantFrom('True', '$d.m.z', '$s', '$l', "'a' in $w", "$u == 'a'"),
      joined('(', int, fc.constantFrom(' == ', ' != ', ' < ', ' <= ', ' > '), int, ')'),
      joined('(', text, fc.constantFrom(' == ', ' in ', ' < ', ' not in '), text, ')'),
      joined('(not ', truth, ')'),
      joined('(', truth, fc.constantFrom(' and ', ' or '), truth, ')'),
      joined('(', int, ' in ', list, ')'),
      joined('(0 < ', int, ' <= 5)'),
      joined(text, ".startswith('a')"),
    ),
  };
});

const any = fc.oneof(expressions.int, expressions.float, expressions.text, expressions.list, expressions.truth);
const indent = fc.constantFrom('', '', '  ', '\t');
const close = fc.constantFrom('', '', ':', ' ## note');

const statements = fc.letrec<{ block: string; line: string }>((tie) => {
  const block = tie('block') as Text;
  const directive = (head: Text, name: string) =>
    joined(indent, '#', head, close, '\n', block, indent, `#end ${name}\n`);
  return {
    line: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        'text\n',
        '  text $s.\n',
        '$a-$u\n',
        '$d.k ${d.n} $d.m.z\n',
        '\\$HOME \\# 5% $1\n',
        'a ## note\n',
      ),
      fc.constantFrom(
        'a #slurp\n',
        '## note $x\n',
        'a #* b *# c\n',
        '\n',
        '#\n',
        "${', '.join($w)}\n",
        '$s.upper() $l[0:1]\n',
      ),
      joined('<${(', any, ')}>\n'),
      joined('a #echo ', any, '# b\n'),
      joined(indent, '#set $x = ', any, '\n${x}\n'),
      joined(indent, '#silent ', any, '\n'),
      joined('#set $n = 1\n#set $n += ', expressions.int, '\n$n\n'),
      joined('x#if ', expressions.truth, '#yes#else#no#end if#y\n'),
      joined('#if ', expressions.truth, ": $u\n#else: 'b'\n"),
      joined('#if ', expressions.truth, " then 'a' else $s\n"),
      directive(joined('if ', expressions.truth), 'if'),
      directive(joined('unless ', expressions.truth), 'unless'),
      directive(joined('for $i in ', expressions.list), 'for'),
      directive(joined('for $i, $c in enumerate(', expressions.text, '[:3])'), 'for'),
      joined(
        '#if ',
        expressions.truth,
        '\n',
        block,
        '#elif ',
        expressions.truth,
        '\n',
        block,
        '#else\n',
        block,
        '#end if\n',
      ),
      joined('#for $q in ', expressions.list, '\n#if $q > 2\n#break\n#end if\n', block, '#end for\n'),
      joined('#try\n', block, '#except Exception\ncaught\n#end try\n'),
      joined('#def f($p, $q=2)\n[$p$q] ${(', any, ')}\n#end def\n$f(', any, ')\n'),
      joined('#set $i = 0\n#while $i < 3\n#set $i += 1\n$i ${(', any, ')}\n#end while\n'),
    ),
    block: fc
      .array(tie('line') as Text, { minLength: 1, maxLength: 3 })
      // A body of comments alone is refused by Cheetah, and not here.
      .map((lines) => `${lines.join('')}.\n`),
  };
});

export const templates: Text = fc
  .array(statements.line, { minLength: 1, maxLength: 4 })
  .map((lines) => `#import re\n${lines.join('')}`);
