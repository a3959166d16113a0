/** `<discover_datasets>` → a rule that a runner applies to the files a tool left. */
import { isAbsolute } from 'node:path';
import { malformed, unsupported } from '../errors.js';
import { pythonPattern } from '../parameters/python-pattern.js';
import type { DiscoverRule } from '../tool.js';
import { flag, type XmlElement } from '../wrapper/wrapper-xml.js';

/** Patterns that have names, as Galaxy has them. */
const NAMED: Readonly<Record<string, string>> = {
  __default__: 'primary_DATASET_ID_(?P<designation>[^_]+)_(?P<visible>[^_]+)_(?P<ext>[^_]+)(_(?P<dbkey>[^_]+))?',
  __name__: '(?P<name>.*)',
  __designation__: '(?P<designation>.*)',
  __name_and_ext__: '(?P<name>.*)\\.(?P<ext>[^\\.]+)?',
  __designation_and_ext__: '(?P<designation>.*)\\.(?P<ext>[^\\._]+)?',
};

/** What is found is of the genome of the inputs, unless the wrapper says otherwise. */
const INPUT_BUILD = '__input__';
/** As Galaxy writes it: `reverse_numeric_name`. */
const SORT = /^(reverse_)?(?:(lexical|numeric)_)?(filename|name|designation|dbkey|ext)$/;

export function parseDiscover(given: XmlElement, outer: { format: string }): DiscoverRule {
  const { attributes } = given;
  const fromProvidedMetadata = flag(attributes.from_provided_metadata, false);
  const written = attributes.pattern ?? '__default__';
  const pattern = NAMED[written] ?? written;
  if (/^__\w+__$/.test(pattern)) throw unsupported(`the pattern "${pattern}" of <discover_datasets>`, given);
  // The runner compiles it again, with the dataset's id in it; that it can be read is found out here.
  pythonPattern(pattern, given);
  const directory = (attributes.directory ?? '').trim();
  if (isAbsolute(directory) || directory.split('/').includes('..')) {
    throw malformed(`directory="${directory}" of <discover_datasets> leaves the working folder`, given);
  }
  const [, reverse, how, key = 'filename'] = sortOf(attributes.sort_by ?? 'filename', given);
  return {
    pattern,
    directory,
    recurse: flag(attributes.recurse, false),
    matchRelativePath: flag(attributes.match_relative_path, false),
    format: (attributes.format ?? attributes.ext ?? outer.format).trim(),
    visible: flag(attributes.visible, false),
    assignPrimary: flag(attributes.assign_primary_output, false),
    sortBy: key as DiscoverRule['sortBy'],
    sortReverse: reverse !== undefined,
    sortNumeric: how === 'numeric',
    fromProvidedMetadata,
    ...(attributes.dbkey === undefined || attributes.dbkey === INPUT_BUILD ? {} : { genomeBuild: attributes.dbkey }),
  };
}

function sortOf(text: string, given: XmlElement): RegExpExecArray {
  const found = SORT.exec(text.trim());
  if (!found) throw malformed(`sort_by="${text}" of <discover_datasets> is not understood`, given);
  return found;
}
