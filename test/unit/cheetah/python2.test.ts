import { describe, expect, it } from 'vitest';
import { faultOf, render, tableNames } from './render.js';

describe('a template for Python 2', () => {
  it.each([
    ['integers divide to integers', '${7 / 2} ${-7 / 2} ${7 / 2.0} ${7 // 2}', '3 -4 3.5 3'],
    ['augmented division as well', '#set $a = 7\n#set $a /= 2\n$a', '3'],
    [
      'map, filter, zip and range are lists',
      '${map(str, [1])} ${filter(None, [0, 1])} ${zip([1], [2])} ${range(3)}',
      "['1'] [1] [(1, 2)] [0, 1, 2]",
    ],
    ['they can be indexed', '${map(str, [1, 2])[0]} ${zip("ab", "cd")[1][0]} ${len(filter(None, [1]))}', '1 b 1'],
    ['filter keeps the type of a text', '${filter(lambda c: c != "a", "abac")}', 'bc'],
    ['map without a function makes tuples', '${map(None, [1], [2])}', '[(1, 2)]'],
    [
      'keys, values and items are lists',
      '${$d.keys()[0]} ${$rows[0].items()} ${{"a": 1}.values()[0]}',
      "k [('input2', '/one'), ('n', 1)] 1",
    ],
    ['has_key', '#if $d.has_key("k") and not $d.has_key("zz")\nyes\n#end if', 'yes\n'],
    [
      'iteritems, iterkeys, itervalues',
      '#for $k, $v in {"a": 1}.iteritems()\n$k$v ${list({"b": 2}.iterkeys())} ${sorted({"c": 3}.itervalues())}\n#end for',
      "a1 ['b'] [3]\n",
    ],
    ['unicode', '${unicode(5)} ${isinstance($s, unicode)} ${isinstance($s, basestring)}', '5 True True'],
    ['long and its literals', '${10L} ${long(5)} ${0xFFL}', '10 5 255'],
    ['octal numbers', '${0777} ${010 + 1}', '511 9'],
    ['xrange', '#for $i in xrange(2)#$i#end for#', '01'],
    [
      'reduce and cmp',
      '${reduce(lambda a, b: a + b, [1, 2, 3])} ${cmp(1, 2)} ${cmp("b", "a")} ${unichr(65)}',
      '6 -1 1 A',
    ],
    ['<> and backticks', '#if 1 <> 2\n${(`[1, "a"]`)}\n#end if', "[1, 'a']\n"],
    [
      'everything can be ordered',
      '${(None < 1)} ${(1 < "a")} ${("a" < [1])} ${sorted(["a", 2, None])}',
      "True True False [None, 2, 'a']",
    ],
    [
      'sorting by a comparison',
      '${sorted([1, 3, 2], lambda a, b: cmp(b, a))} ${sorted([1, 3, 2], cmp=lambda a, b: b - a)}',
      '[3, 2, 1] [3, 2, 1]',
    ],
    [
      'round gives floats and rounds a half away from zero',
      '${round(2.5)} ${round(0.5)} ${round(-2.5)} ${round(3)} ${round(2.567, 2)}',
      '3.0 1.0 -3.0 3.0 2.57',
    ],
    [
      'str() of a float has twelve digits',
      '${0.1 + 0.2} ${str(1.0 / 3)} ${repr(0.1)} ${1e16}',
      '0.3 0.333333333333 0.1 1e+16',
    ],
    [
      'a comprehension leaves its variable and sees the others',
      '#set $a = 2\n#set $l = [$x * $a for $x in [1, 2]]\n$l $x',
      '[2, 4] 2',
    ],
    [
      'except with a comma',
      '#try\n${int("x")}\n#except ValueError, e\n[$e]\n#end try',
      "[invalid literal for int() with base 10: 'x']\n",
    ],
    ['raise with a comma', '#try\n#raise ValueError, "mine"\n#except ValueError, e\n$e\n#end try', 'mine\n'],
    [
      'message of an exception',
      '#try\n#raise ValueError("mine")\n#except Exception as e\n$e.message\n#end try',
      'mine\n',
    ],
    [
      'string functions',
      '#import string\n${string.upper("a")} ${string.letters[:2]} ${string.join(["a", "b"], "-")} ${string.replace("aa", "a", "b")}',
      'A ab a-b bb',
    ],
    [
      'izip and imap',
      '#from itertools import izip, imap\n${list(izip("ab", "cd"))} ${list(imap(str, [1]))}',
      "[('a', 'c'), ('b', 'd')] ['1']",
    ],
    ['math rounds to floats', '#import math\n${math.floor(1.5)} ${math.ceil(1.2)}', '1.0 2.0'],
    ['re.escape escapes all but letters and digits', '#import re\n${re.escape("a-b_c")}', 'a\\-b\\_c'],
    ['list.sort with a comparison', '#set $l = [1, 3, 2]\n#silent $l.sort(lambda a, b: cmp(b, a))\n$l', '[3, 2, 1]'],
    ['decode', '${"abc".decode("utf-8").encode("ascii")}', 'abc'],
    ['oct', '${oct(8)} ${hex(255)}', '010 0xff'],
    ['sys.maxint', '#import sys\n${sys.maxint}', '9223372036854775807'],
    [
      'what is the same in both',
      '$name.upper() ${", ".join([str(i) for i in $nums])} ${"%s" % $pi} ${5 % 3}',
      'WORLD 3, 1, 2 3.5 2',
    ],
  ])('%s', (_, template, output) => {
    expect(render(template, tableNames, { python: 2 })).toBe(output);
  });

  it.each([
    ['${{"a": 1}.has_key("a")}', "has no attribute 'has_key'"],
    ['${xrange(3)}', "cannot find 'xrange'"],
    ['${reduce(lambda a, b: a, [1])}', "cannot find 'reduce'"],
    ['${{"a": 1}.keys()[0]}', "'dict_keys' object is not subscriptable"],
    ['${10L}', 'is no number'],
    ['#try\na\n#except ValueError, e\n#end try', "unexpected ', e'"],
  ])('Python 3 has not: %s', (template, reason) => {
    expect(faultOf(() => render(template)).reason).toContain(reason);
  });
});
