import { describe, expect, it } from 'vitest';
import { findAll, parseOutputXml, xmlText } from '../../../node/tool-test/xml-path.js';

const DOCUMENT = `<?xml version="1.0"?>
<!DOCTYPE library [<!ELEMENT library ANY>]>
<library xmlns:x="urn:x">
  <book id="1" lang="en"><title>One</title><page>a</page><page>b</page></book>
  <book id="2"><title>Two &amp; more</title><page/></book>
  <x:extra><page>c</page></x:extra>
</library>`;

const root = parseOutputXml(DOCUMENT);
const found = (path: string) => findAll(root, path).map(({ tag, text }) => `${tag}:${text.trim()}`);

describe('paths to elements, as ElementTree has them', () => {
  it.each([
    ['book', ['book:', 'book:']],
    ['./book/title', ['title:One', 'title:Two & more']],
    ['.//page', ['page:a', 'page:b', 'page:', 'page:c']],
    ['*', ['book:', 'book:', '{urn:x}extra:']],
    ['book[@lang]', ['book:']],
    ["book[@id='2']/title", ['title:Two & more']],
    ["book[@id!='2']/title", ['title:One']],
    ["book[title='One']/page", ['page:a', 'page:b']],
    ["book/title[.='One']", ['title:One']],
    ['book[2]/title', ['title:Two & more']],
    ['book[1]/page[last()]', ['page:b']],
    ['book[1]/page[last()-1]', ['page:a']],
    ['{urn:x}extra/page', ['page:c']],
    ['{*}extra', ['{urn:x}extra:']],
    ['book/title/..', ['book:', 'book:']],
    ['none', []],
  ])('%s', (path, elements) => {
    expect(found(path)).toEqual(elements);
  });

  it('that cannot be read are said', () => {
    expect(() => findAll(root, 'book[')).toThrow('cannot be read');
  });
});

it('an element as text has its attributes, its text and its children', () => {
  const [book] = findAll(root, 'book[2]');
  expect(xmlText(book!)).toBe('<book id="2"><title>Two &amp; more</title><page></page></book>');
});

it('what is not XML is said with its line', () => {
  expect(() => parseOutputXml('<a>\n<b></a>')).toThrow(/it is not valid XML: .* \(line 2\)/);
});
