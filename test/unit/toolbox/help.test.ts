import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { helpHtml } from '../../../node/toolbox/help/help.js';

const rst = (text: string) => helpHtml(text, 'restructuredtext');

describe('reStructuredText', () => {
  it.each([
    [
      'sections, by the order of their underlines',
      'A\n=\n\nB\n--\n\n====\nOver\n====\n\nC\n==',
      '<h2>A</h2>\n<h3>B</h3>\n<h4>Over</h4>\n<h2>C</h2>',
    ],
    ['a paragraph of two lines', 'a\nb', '<p>a b</p>'],
    ['a rule', 'a\n\n-----\n\nb', '<p>a</p>\n<hr>\n<p>b</p>'],
    [
      'bullets with continuation and nesting',
      '- one\n  more\n- two\n\n  * in\n',
      '<ul><li>one more</li><li>two<ul><li>in</li></ul></li></ul>',
    ],
    ['numbers', '3. c\n4. d', '<ol start="3"><li>c</li><li>d</li></ol>'],
    [
      'letters and automatic numbers',
      'a) x\nb) y\n\n#. z',
      '<ol type="a"><li>x</li><li>y</li></ol>\n<ol><li>z</li></ol>',
    ],
    ['no list: a name with an initial', 'A. Nobody\nwrote this', '<p>A. Nobody wrote this</p>'],
    [
      'definitions',
      'term\n  meaning\nother\n  more',
      '<dl><dt>term</dt><dd>meaning</dd><dt>other</dt><dd>more</dd></dl>',
    ],
    ['fields', ':Author: me\n:Date: now', '<dl><dt>Author</dt><dd>me</dd><dt>Date</dt><dd>now</dd></dl>'],
    [
      'options',
      '-a  all\n--long=X  more\n    words',
      '<dl><dt>-a</dt><dd>all</dd><dt>--long=X</dt><dd>more words</dd></dl>',
    ],
    [
      'a literal block after ::',
      'See::\n\n  a <b>\n    c\n\nend',
      '<p>See:</p>\n<pre>a &lt;b&gt;\n  c</pre>\n<p>end</p>',
    ],
    ['a literal block after :: alone', 'See\n\n::\n\n  x', '<p>See</p>\n<pre>x</pre>'],
    ['a quoted literal block', 'See::\n\n> a\n> b', '<p>See:</p>\n<pre>&gt; a\n&gt; b</pre>'],
    ['a literal block close to its paragraph', 'See::\n  >seq1\n  ATCG', '<p>See:</p>\n<pre>&gt;seq1\nATCG</pre>'],
    ['a quotation', 'a\n\n  b', '<p>a</p>\n<blockquote><p>b</p></blockquote>'],
    ['lines', '| a\n| *b*', '<p>a<br><em>b</em></p>'],
    ['a session', '>>> 1 + 1\n2', '<pre>&gt;&gt;&gt; 1 + 1\n2</pre>'],
    ['a comment', '.. nothing\n   to see\n\na', '<p>a</p>'],
    [
      'emphasis, strong, literal',
      '*a b* **c** ``d*`` e*f*g',
      '<p><em>a b</em> <strong>c</strong> <code>d*</code> e*f*g</p>',
    ],
    ['roles', ':sup:`2` :sub:`3` `title` :code:`x`', '<p><sup>2</sup> <sub>3</sub> <em>title</em> <code>x</code></p>'],
    ['escapes', '\\*a\\* b\\ c', '<p>*a* bc</p>'],
    ['marks without an end', '*a **b ``c `d |e', '<p>*a **b ``c `d |e</p>'],
    ['a word with underscores', 'a_b_c my_file.txt __x__', '<p>a_b_c my_file.txt __x__</p>'],
    [
      'a footnote',
      'a [1]_\n\n.. [1] note',
      '<p>a <sup>[1]</sup></p>\n<div class="footnote"><p>[1]</p><p>note</p></div>',
    ],
    ['infomark', '.. class:: infomark\n\n**TIP** x\n\ny', '<p class="infomark"><strong>TIP</strong> x</p>\n<p>y</p>'],
    ['warningmark on what is inside', '.. class:: warningmark\n\n  x', '<p class="warningmark">x</p>'],
    ['a class of nobody', '.. class:: "><script>\n\nx', '<p>x</p>'],
    [
      'a note',
      '.. note:: careful\n   now',
      '<div class="admonition note"><p><strong>Note</strong></p><p>careful now</p></div>',
    ],
    [
      'a warning with blocks',
      '.. warning::\n\n   - a',
      '<div class="admonition warning"><p><strong>Warning</strong></p><ul><li>a</li></ul></div>',
    ],
    ['an image in words', '.. image:: $PATH_TO_IMAGES/a.png\n   :height: 5\n', '<p>[image: a.png]</p>'],
    ['an image with its text', '.. image:: a.png\n   :alt: A view\n', '<p>[image: A view]</p>'],
    ['code', '.. code-block:: python\n\n   x = "<"\n', '<pre>x = &quot;&lt;&quot;</pre>'],
    ['what would read files', '.. include:: /etc/passwd\n\n.. raw:: html\n\n   <script>\n\na', '<p>a</p>'],
    ['a substitution', 'a |b| c\n\n.. |b| replace:: *x*', '<p>a <em>x</em> c</p>'],
    ['nothing', '  \n \n', ''],
  ])('%s', (_, text, html) => {
    expect(rst(text)).toBe(html);
  });

  const link = (address: string, text: string) =>
    `<a href="${address}" target="_blank" rel="noopener noreferrer">${text}</a>`;
  it.each([
    ['`text <https://example.org/a?b=1&c=2>`_', link('https://example.org/a?b=1&amp;c=2', 'text')],
    ['`text <https://example.org>`__', link('https://example.org', 'text')],
    ['see https://example.org/x.', `see ${link('https://example.org/x', 'https://example.org/x')}.`],
    ['(http://example.org)', `(${link('http://example.org', 'http://example.org')})`],
    ['me@example.org', link('mailto:me@example.org', 'me@example.org')],
    ['`bad <javascript:alert(1)>`_', 'bad'],
    ['`bad <data:text/html,x>`_', 'bad'],
    ['`bad <https://x" onclick="y>`_', 'bad'],
    ['Galaxy_ x\n\n.. _Galaxy: https://example.org/g', `${link('https://example.org/g', 'Galaxy')} x`],
    ['`A B`_\n\n.. _`a b`: https://example.org/\n   long', link('https://example.org/long', 'A B')],
    ['Bad_\n\n.. _Bad: javascript:alert(1)', 'Bad'],
  ])('links: %s', (text, html) => {
    expect(rst(text)).toBe(`<p>${html}</p>`);
  });

  it('simple tables', () => {
    const table = 'a\n\n=====  =====\nName   *Use*\n=====  =====\nx      1\n       2\ny\n=====  =====\n\nb';
    expect(rst(table)).toBe(
      '<p>a</p>\n<table class="table"><thead><tr><th>Name</th><th><em>Use</em></th></tr></thead><tbody><tr><td>x</td><td>1 2</td></tr><tr><td>y</td><td></td></tr></tbody></table>\n<p>b</p>',
    );
  });

  it('simple tables without a head', () => {
    expect(rst('== ==\na  b\n== ==')).toBe('<table class="table"><tbody><tr><td>a</td><td>b</td></tr></tbody></table>');
  });

  it('grid tables, with cells over several columns', () => {
    const table =
      '+----+----+\n| A  | B  |\n+====+====+\n| - 1| x  |\n| - 2|    |\n+----+----+\n| both    |\n+----+----+';
    expect(rst(table)).toBe(
      '<table class="table"><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td><ul><li>1</li><li>2</li></ul></td><td>x</td></tr><tr><td colspan="2">both</td></tr></tbody></table>',
    );
  });

  it('a grid table that is not understood is shown as drawn', () => {
    const table = '+---+---+\n| a | b |\n+   +---+\n|   | c |\n+---+---+';
    expect(rst(table)).toBe(`<pre>${table}</pre>`);
  });
});

describe('Markdown', () => {
  const markdown = (text: string) => helpHtml(text, 'markdown');
  it('headings, lists, code, tables and links', () => {
    expect(markdown('# A\n\n- **b**\n\n`c`\n\n```x" y\n<z>\n```')).toBe(
      '<h1>A</h1>\n<ul>\n<li><strong>b</strong></li>\n</ul>\n<p><code>c</code></p>\n<pre><code>&lt;z&gt;\n</code></pre>\n',
    );
    expect(markdown('|a|b|\n|:-|-:|\n|1|2|')).toContain('<th>a</th>');
    expect(markdown('[x](https://example.org/)')).toContain('<a href="https://example.org/" target="_blank"');
  });

  it.each([
    '<script>alert(1)</script>',
    '[x](javascript:alert(1))',
    '[x](data:text/html;base64,AAAA)',
    '![x](https://example.org/track.png)',
    '<img src=x onerror=alert(1)>',
    '[x](//example.org)',
  ])('%s does nothing', (text) => {
    expect(markdown(text)).not.toMatch(/<script|<img|href=/);
  });
});

it('any other format is shown as it is written', () => {
  expect(helpHtml('  <b>\n   x', 'plain_text')).toBe('<pre>&lt;b&gt;\n x</pre>');
});

describe('whatever is written', () => {
  const TAGS =
    'p br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd pre code em strong s a blockquote table thead tbody tr th td div sub sup'.split(
      ' ',
    );
  const ATTRIBUTE =
    /^(?: class="(?:infomark|warningmark|errormark|table|footnote|admonition [a-z]+)"| start="\d+"| type="[1aAiI]"| colspan="\d+"| href="(?:https?:\/\/|mailto:|HTTPS?:\/\/|[^"]*)" target="_blank" rel="noopener noreferrer")*$/;
  /** Every < begins one of our tags, and every tag has only our attributes. */
  const check = (html: string) => {
    for (const found of html.matchAll(/<(\/?)([^\s>]*)([^>]*)>?/g)) {
      expect(TAGS).toContain(found[2]);
      expect(found[0].endsWith('>')).toBe(true);
      expect(found[3]).toMatch(ATTRIBUTE);
    }
    for (const [, address = ''] of html.matchAll(/href="([^"]*)"/g)) {
      expect(address).toMatch(/^(?:https?:\/\/|mailto:)[^\s<>"'`]+$/i);
    }
  };
  const piece = fc.constantFrom(
    ...[
      '*',
      '**',
      '`',
      '``',
      '|',
      '_',
      '__',
      '\\',
      '<script>',
      '</p>',
      '" onclick="x',
      "'",
      '&amp;',
      '&',
      'javascript:alert(1)',
      'https://a.b/',
      'mailto:',
      'x@y.zz',
      '`a <',
      '>`_',
      '[1]_',
    ],
    ...[
      '\n',
      '\n\n',
      '  ',
      '    ',
      '- ',
      '1. ',
      ':a: ',
      '.. ',
      '.. note::',
      '.. image:: x',
      '.. _a: ',
      '.. class:: infomark',
      '::',
      '====',
      '----',
      '== ==',
      '+--+--+',
      '| a | b |',
      '+==+==+',
      '<<',
      '>>>',
      '-a  ',
      'word',
      '.. |b| replace:: |b|',
      '|b|',
      '```',
      '# ',
      '![',
      '](',
      ')',
    ],
  );
  const text = fc
    .array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string({ maxLength: 5 })), { maxLength: 60 })
    .map((pieces) => pieces.join(''));

  it.each(['restructuredtext', 'markdown', 'plain_text'])('%s gives nothing but our own tags', (format) => {
    fc.assert(
      fc.property(text, (given) => check(helpHtml(given, format))),
      { numRuns: 600 },
    );
  });

  it.each([
    ['stars', '*a '.repeat(60_000)],
    ['stars that end', '**a** '.repeat(30_000)],
    ['quotes', '`'.repeat(200_000)],
    ['open quotes', ' `a'.repeat(60_000)],
    ['brackets of links', '`a <'.repeat(50_000)],
    ['indentation', Array.from({ length: 600 }, (_, index) => `${' '.repeat(index)}x`).join('\n\n')],
    ['nested lists', Array.from({ length: 300 }, (_, index) => `${' '.repeat(index * 2)}- x`).join('\n\n')],
    ['borders', '== ==\n'.repeat(30_000)],
    ['grids', '+--+--+\n'.repeat(20_000)],
    ['grid rows', `+--+--+\n${'|a |b |\n'.repeat(20_000)}`],
    ['dots of an address', `http://${'.'.repeat(190_000)}a`],
    ['addresses', 'http://a.b '.repeat(18_000)],
    ['mailboxes', 'a@'.repeat(100_000)],
    ['long words', 'a'.repeat(200_000)],
    ['dotted words', 'a.'.repeat(100_000)],
    ['underlines', 'a\n=\n'.repeat(40_000)],
    ['colons', ':'.repeat(200_000)],
    ['field marks', ':a'.repeat(100_000)],
    ['options', '-a'.repeat(100_000)],
    ['substitutions', `${'|b|'.repeat(50_000)}\n\n.. |b| replace:: |b||b||b||b|`],
    ['backslashes', '\\'.repeat(200_000)],
  ])('two hundred thousand characters of %s end', (_, given) => {
    expect(() => check(rst(given))).not.toThrow();
  });
});
