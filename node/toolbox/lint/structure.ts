/** Elements and attributes that no wrapper has, and those that each should have. */
import { nearMiss } from '../wrapper/near-miss.js';
import { compareProfiles, NEWEST_PROFILE, OLDEST_PROFILE, PROFILE_CHANGES } from '../wrapper/profile.js';
import { element, elements, isElement, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import type { Findings } from './finding.js';
import { ASSERTIONS, KINDS } from './schema.js';

/** Profiles older than this have habits that surprise. */
const RECENT_PROFILE = '20.09';
const TOKEN = /@[A-Z][A-Z0-9_]{1,60}@/;

export function lintStructure(root: XmlElement, findings: Findings): void {
  walk(root, 'tool', findings);
  lintHead(root, findings);
  lintTokens(root, findings);
}

function walk(given: XmlElement, kindName: string, findings: Findings): void {
  const kind = KINDS.get(kindName);
  if (!kind) return;
  for (const name of Object.keys(given.attributes)) {
    if (kind.attributes.has(name) || kind.attributes.has('*') || name.startsWith('xmlns') || name.startsWith('xml:'))
      continue;
    const near = nearMiss(name, kind.attributes);
    findings.add(
      'warning',
      'unknown-attribute',
      given,
      `<${given.name}> has no attribute "${name}"`,
      near === undefined ? 'Take it out.' : `Write ${near}=.`,
    );
  }
  for (const child of elements(given)) {
    if (kindName === 'assertions') {
      lintAssertion(child, findings);
      continue;
    }
    if (kind.children === undefined) continue;
    const next = kind.children.get(child.name);
    if (next !== undefined) walk(child, next, findings);
    else if (child.name === 'yield') {
      findings.add('info', 'empty-yield', child, '<yield> stands where no macro is expanded', 'Take it out.');
    } else {
      const near = nearMiss(child.name, kind.children.keys());
      findings.add(
        'warning',
        'unknown-element',
        child,
        `<${child.name}> is no element of <${given.name}>`,
        near === undefined ? 'Take it out, or move it to where it belongs.' : `Write <${near}>.`,
      );
    }
  }
}

function lintAssertion(given: XmlElement, findings: Findings): void {
  if (!ASSERTIONS.has(given.name)) {
    const near = nearMiss(given.name, ASSERTIONS);
    findings.add(
      'warning',
      'unknown-assertion',
      given,
      `<${given.name}> is no assertion`,
      near === undefined ? 'Use one of has_text, has_line, has_n_lines, has_size, …' : `Write <${near}>.`,
    );
  }
  for (const child of elements(given)) lintAssertion(child, findings);
}

function lintHead(root: XmlElement, findings: Findings): void {
  const { id, name, version, profile } = root.attributes;
  const missing = (level: 'error' | 'warning', what: string, mend: string) =>
    findings.add(level, `no-${what.replace(/[<>]/g, '')}`, root, `the tool has no ${what}`, mend);
  if (!id) missing('error', 'id', 'Give it one: id="my_tool".');
  else if (/\s/.test(id))
    findings.add('warning', 'id-blank', root, `the id "${id}" holds a blank`, 'Use letters, digits and _.');
  if (!name) missing('warning', 'name', 'Give it one: it is what users look for.');
  if (!version) {
    const isLoaded = isOlder(profile, '16.04');
    missing(isLoaded ? 'warning' : 'error', 'version', 'Give it one: version="1.0+galaxy0".');
  }
  if (!element(root, 'command') && root.attributes.tool_type === undefined) {
    missing('error', '<command>', 'Say what it runs.');
  }
  if (textOf(element(root, 'description')).trim() === '')
    missing('warning', '<description>', 'Say in a few words what it does.');
  if (textOf(element(root, 'help')).trim() === '')
    missing('warning', '<help>', 'Say what it does, with what, and what comes out.');
  if (root.attributes.tool_type !== 'node' && elements(element(root, 'tests'), 'test').length === 0)
    missing('warning', '<tests>', 'Add a test: it is how anybody knows that the tool works.');
  if (root.attributes.tool_type !== 'node' && elements(element(root, 'citations'), 'citation').length === 0)
    missing('warning', '<citations>', 'Say whom to cite: <citation type="doi">.');
  if (!element(root, 'outputs')) missing('warning', '<outputs>', 'Say what comes out.');
  lintProfile(root, profile, findings);
  for (const child of new Set(elements(root).map((one) => one.name))) {
    const [, second] = elements(root, child);
    if (second && child !== 'macros' && child !== 'stdio') {
      findings.add('error', 'twice', second, `<${child}> is there twice; the first one counts`, 'Bring them together.');
    }
  }
}

/** Whether a profile does not yet ask for what came with another one. */
function isOlder(profile: string | undefined, since: string): boolean {
  const written = profile?.trim() || OLDEST_PROFILE;
  return /^\d+(?:\.\d+)+$/.test(written) && compareProfiles(written, since) < 0;
}

function lintProfile(root: XmlElement, profile: string | undefined, findings: Findings): void {
  const written = profile ?? OLDEST_PROFILE;
  if (!/^\d+(?:\.\d+)+$/.test(written)) return;
  if (compareProfiles(written, RECENT_PROFILE) >= 0) return;
  const since = PROFILE_CHANGES.filter(
    (change) => compareProfiles(written, change.since) < 0 && compareProfiles(change.since, RECENT_PROFILE) <= 0,
  );
  findings.add(
    'info',
    'old-profile',
    root,
    `${profile === undefined ? 'there is no profile, so it is' : 'the profile is'} ${written}`,
    `Since then: ${since.map(({ what }) => what).join('; ')}. Write profile="${RECENT_PROFILE}" or a later one up to ${NEWEST_PROFILE}.`,
  );
}

/** `@VERSION@` that no `<token>` defines. */
function lintTokens(root: XmlElement, findings: Findings): void {
  const visit = (node: XmlElement, inTests: boolean): void => {
    const report = (text: string, line: number, file: string) => {
      const found = TOKEN.exec(text)?.[0];
      if (found === undefined || inTests) return;
      findings.add(
        'warning',
        'token-left',
        { file, line },
        `nothing defines the token ${found}`,
        `Add <token name="${found}"> to <macros>, or correct its name.`,
      );
    };
    for (const value of Object.values(node.attributes)) report(value, node.line, node.file);
    for (const child of node.children) {
      if (isElement(child)) visit(child, inTests || child.name === 'tests');
      else
        for (const [index, line] of child.text.split('\n').entries()) {
          const spot = child.lines?.[index] ?? { file: child.file, line: child.line + index };
          report(line, spot.line, spot.file);
        }
    }
  };
  visit(root, false);
}
