/** Who made a tool, how to cite it, where else it is described: `<citations>`, `<creator>`, `<xrefs>`. */
import { replaceControlCharacters } from '../../../protocol/runtime/text.js';
import type { Creator, Note } from '../loaded.js';
import { elements, textOf, type XmlElement } from './wrapper-xml.js';

const CITATION_CHARS_MAX = 20_000;
const ATTRIBUTE_CHARS_MAX = 1000;
/** As schema.org has them. */
const CREATOR_ATTRIBUTES = new Set([
  'name',
  'url',
  'identifier',
  'image',
  'address',
  'email',
  'telephone',
  'faxNumber',
  'alternateName',
  'givenName',
  'familyName',
  'honorificPrefix',
  'honorificSuffix',
  'jobTitle',
]);

/** A DOI is brought to its plain form; what is neither a DOI nor BibTeX is left out with a note. */
export function parseCitations(parent: XmlElement | undefined, notes: Note[]): { type: string; content: string }[] {
  return elements(parent, 'citation').flatMap((child) => {
    const { type = 'doi' } = child.attributes;
    const text = clean(textOf(child)).trim().slice(0, CITATION_CHARS_MAX);
    const leaveOut = (message: string) => {
      notes.push({ file: child.file, line: child.line, message });
      return [];
    };
    if (text === '') return leaveOut('an empty <citation> is left out');
    if (type === 'bibtex') return [{ type, content: text }];
    if (type !== 'doi') return leaveOut(`a <citation> of type "${type}" is left out; it is doi or bibtex`);
    const doi = text.replace(/^(?:https?:\/\/)?(?:dx\.)?doi\.org\//i, '').replace(/^doi:\s*/i, '');
    if (!/^10\.\d{3,9}\/[^\s"<>]+$/.test(doi)) return leaveOut(`"${text.slice(0, 100)}" is no DOI, and is left out`);
    return [{ type, content: doi }];
  });
}

export function parseXrefs(parent: XmlElement | undefined): { reftype: string; value: string }[] {
  return elements(parent, 'xref').flatMap((xref) => {
    const [reftype = '', value] = [xref.attributes.type, clean(textOf(xref)).trim()];
    return reftype === '' || value === '' ? [] : [{ reftype, value }];
  });
}

export function parseCreators(parent: XmlElement | undefined): Creator[] {
  return elements(parent).flatMap((child): Creator[] => {
    if (child.name !== 'person' && child.name !== 'organization') return [];
    const attributes: Record<string, string> = {};
    for (const [key, value] of Object.entries(child.attributes)) {
      const text = clean(value).slice(0, ATTRIBUTE_CHARS_MAX);
      // Shown as a link by the client.
      const unsafe = (key === 'url' || key === 'image') && !/^https?:\/\//i.test(text);
      if (CREATOR_ATTRIBUTES.has(key) && !unsafe) attributes[key] = text;
    }
    return [{ kind: child.name, attributes }];
  });
}

/** Without control characters and changes of direction; line ends and tabs stay. */
function clean(text: string): string {
  return replaceControlCharacters(text, '', '\t\n').replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
}
