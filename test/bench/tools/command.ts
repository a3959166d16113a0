/** The template of a generated wrapper: for each construct that it has, lines that use it. */
import type { Feature } from './counts.js';
import { type Draft, named, someNamed } from './draft.js';
import { phrase } from './words.js';

/** How often a wrapper that branches and loops does so. */
const BRANCHES = [1, 10] as const;
const SETS = [1, 4] as const;
const LOOPS = [1, 2] as const;

export function addCommand(draft: Draft): void {
  const { command } = draft;
  declareNames(draft);
  if (draft.has('def')) command.push(...definition(draft));
  if (draft.has('token')) command.push('@PREPARE@');
  command.push(`${program(draft)} --run`);
  for (const [feature, lines] of LINES) if (draft.has(feature)) command.push(...lines(draft));
  if (draft.has('if')) {
    const branches = draft.random.between(...BRANCHES);
    // At least one for each kind of condition.
    for (let n = 1; n <= branches || openConditions(draft).length > 0; n++) command.push(...branch(draft, n));
  }
  if (draft.has('for')) for (let n = draft.random.between(...LOOPS); n > 0; n--) command.push(...loop(draft, n));
  for (const { path, type } of draft.params) command.push(...use(draft, path, type));
  if (draft.has('data_output') && !draft.has('from_work_dir')) command.push("> '$out_1'");
  command.unshift(...[...draft.modules].sort().map((module) => `#import ${module}`));
}

function program(draft: Draft): string {
  if (draft.has('interpreter')) return 'run.py';
  return draft.has('__tool_directory__') ? "python '$__tool_directory__/run.py'" : 'program';
}

/** Imports and values that stand before everything else. */
function declareNames(draft: Draft): void {
  const modules: [Feature, string][] = [
    ['re.sub', 're'],
    ['re.search', 're'],
    ['os.path.splitext', 'os.path'],
    ['os.path.basename', 'os.path'],
    ['json.dumps', 'json'],
  ];
  for (const [feature, module] of modules) if (draft.has(feature)) draft.modules.add(module);
  if (draft.has('import') && draft.modules.size === 0) draft.modules.add('re');
  if (!draft.has('set')) return;
  for (let n = draft.random.between(...SETS); n > 0; n--)
    draft.command.push(`#set $name_${n} = '${phrase(draft.random, 1, 3)}'`);
}

function definition(draft: Draft): string[] {
  if (draft.has('return')) return ['#def option($value)', '#return $value', '#end def', '$option("--plain")'];
  return ['#def separator()', '--separator ,', '#end def', '$separator()'];
}

const text = (draft: Draft) => someNamed(draft, 'text', 'select', 'hidden')?.path;
const dataset = (draft: Draft) => named(draft, 'data')?.path ?? 'none';
/** A text of the wrapper's own, or a constant where it has none or does without str. */
const word = (draft: Draft, otherwise: string) => {
  const path = draft.has('str') ? text(draft) : undefined;
  return path === undefined ? otherwise : `str($${path})`;
};

const LINES: readonly (readonly [Feature, (draft: Draft) => string[]])[] = [
  ['from', () => ['#from os.path import basename', '--base ${basename("a/b.txt")}']],
  ['str', (draft) => [`--text '\${str($${text(draft) ?? 'tool.name'})}'`]],
  ['re.sub', (draft) => [`--clean '\${re.sub(r"[^\\w-]", "_", ${word(draft, '"a b.c"')})}'`]],
  ['re.search', (draft) => [`#if re.search("^a+b", ${word(draft, '"aab"')})`, '--found', '#end if']],
  ['len', (draft) => [`--length \${len(${word(draft, '"abc"')})}`]],
  ['int', (draft) => [`--whole \${int(${number(draft, '"3"')})}`]],
  ['float()', (draft) => [`--real \${float(${number(draft, '"0.5"')})}`]],
  ['os.path.splitext', () => ['--stem \'${os.path.splitext("reads.fastq")}\'']],
  ['os.path.basename', () => ['--name \'${os.path.basename("data/reads.fastq")}\'']],
  ['varExists', () => ["#if $varExists('not_there')", '--never', '#end if']],
  ['json.dumps', () => ['--json \'${json.dumps("a")}\'']],
  ['getVar', () => ['--default \'${getVar("not_there", "none")}\'']],
  ['hasattr', (draft) => [`#if hasattr($${dataset(draft)}, "ext")`, '--typed', '#end if']],
  ['map', () => ['#set $mapped = tuple(map(repr, "ab"))', '--mapped ${mapped}']],
  ['join', (draft) => [`--joined '\${",".join(${draft.has('list') ? '["a", "b", "c"]' : '"abc"'})}'`]],
  ['split', pieces],
  ['strip', (draft) => [`--stripped '\${${word(draft, '" a "')}.strip()}'`]],
  ['replace', (draft) => [`--replaced '\${${word(draft, '"a b"')}.replace(" ", "_")}'`]],
  ['list', () => ['#set $listed = ["one", "two"]', '--listed $listed']],
  ['append', () => ['#set $grown = list("ab")', '#set $nothing = $grown.append("c")', '--grown $grown']],
  ['comprehension', () => ['#set $picked = [one.upper() for one in "abc" if one != "b"]', '--picked ${picked}']],
  ['dict', () => ['#set $table = {"a": "1", "b": "2"}', "--entries '${table}'"]],
  ['lambda', () => ['#set $twice = (lambda x: x * 2)', '--twice ${twice(2)}']],
  ['generator', () => ['#set $total = sum(number for number in (1, 2))', '--total $total']],
  ['+', (draft) => [`--added '\${"prefix_" + ${word(draft, '"a"')}}'`]],
  ['%', (draft) => [`--format '\${"%s.txt" % ${word(draft, '"a"')}}'`]],
  ['index', () => ['--first \'${"abc"[0]}\'']],
  ['slice', () => ['--part \'${"abcdef"[1:3]}\'']],
  ['if-else', (draft) => [`--either \${"a" if $${text(draft) ?? 'tool.name'} else "b"}`]],
  ['echo', () => ['#echo "--said"#']],
  ['silent', () => ['#silent 1']],
  ['while', () => ['#set $count = 0', '#while $count < 3', '--count $count', '#set $count = $count + 1', '#end while']],
  ['slurp', () => ['--one#slurp', ' --line']],
  ['assert', () => ['#assert 1 < 2']],
  ['try', () => ['#try', '--tried', '#except', '--failed', '#end try']],
  ['raw', () => ['#raw', '--raw $name', '#end raw']],
  ['unless', () => ['#unless False', '--unless', '#end unless']],
  ['GALAXY_SLOTS', () => ['--threads "\\${GALAXY_SLOTS:-1}"']],
  ['GALAXY_MEMORY_MB', () => ['--memory "\\${GALAXY_MEMORY_MB:-1024}"']],
  ['ext', (draft) => [`--format-of '$${dataset(draft)}.ext'`]],
  ['element_identifier', (draft) => [`--sample '$${dataset(draft)}.element_identifier'`]],
  ['metadata', (draft) => [`--build '\${${dataset(draft)}.metadata.dbkey}'`]],
  ['fields', (draft) => [`--index '\${${named(draft, 'table')?.path}.fields.path}'`]],
  ['files_path', () => ["--report '$out_1.files_path'"]],
];

function pieces(draft: Draft): string[] {
  const list = `${word(draft, '"a,b"')}.split(",")`;
  return draft.has('for') ? [`#for $piece in ${list}`, "--piece '$piece'", '#end for'] : [`--pieces '\${${list}}'`];
}

function number(draft: Draft, otherwise: string): string {
  const path = someNamed(draft, 'integer', 'float')?.path;
  return path === undefined ? otherwise : `$${path}`;
}

/** `#if`, with what else the wrapper has of conditions. */
function branch(draft: Draft, n: number): string[] {
  const lines = [`#if ${condition(draft)}`, `--branch-${n} '${phrase(draft.random, 1, 2)}'`];
  if (draft.has('elif') && (n === 1 || draft.random.next() < 0.4))
    lines.push(`#elif ${condition(draft)}`, `--other-${n}`);
  if (draft.has('else') && (n === 1 || draft.random.next() < 0.5)) lines.push('#else', `--otherwise-${n}`);
  return [...lines, '#end if'];
}

/** Conditions that the wrapper has and that no branch has had yet come first. */
const said = new WeakMap<Draft, Set<Feature>>();

function condition(draft: Draft): string {
  let seen = said.get(draft);
  if (!seen) {
    seen = new Set();
    said.set(draft, seen);
  }
  const possible = CONDITIONS.filter(([feature]) => draft.has(feature));
  const next =
    possible.find(([feature]) => !seen.has(feature)) ?? (possible.length > 0 ? draft.random.pick(possible) : undefined);
  if (!next) return `$${someNamed(draft, 'boolean')?.path ?? 'tool.name'}`;
  seen.add(next[0]);
  return next[1](draft);
}

/** Kinds of conditions that the wrapper has and that stand in no branch yet. */
function openConditions(draft: Draft): Feature[] {
  return CONDITIONS.map(([feature]) => feature).filter(
    (feature) => draft.has(feature) && !said.get(draft)?.has(feature),
  );
}

const compared = (draft: Draft, sign: string) => {
  const one = someNamed(draft, 'select', 'text', 'hidden', 'boolean');
  if (!one) return `"a" ${sign} "b"`;
  return `${draft.has('str') ? `str($${one.path})` : `$${one.path}`} ${sign} "${one.value}"`;
};

const CONDITIONS: readonly (readonly [Feature, (draft: Draft) => string])[] = [
  ['==', (draft) => compared(draft, '==')],
  ['!=', (draft) => compared(draft, '!=')],
  ['in', (draft) => `"a" in ${word(draft, '"abc"')}`],
  ['and', (draft) => `$${flag(draft)} and $tool.name`],
  ['or', (draft) => `$${flag(draft)} or $tool.name`],
  ['not', (draft) => `not $${flag(draft)}`],
  ['is_of_type', (draft) => `$${dataset(draft)}.is_of_type("fastqsanger.gz", "fasta")`],
  ['endswith', (draft) => `${word(draft, '"a.gz"')}.endswith(".gz")`],
  ['startswith', (draft) => `${word(draft, '"a.gz"')}.startswith("a")`],
];

const flag = (draft: Draft) => someNamed(draft, 'boolean')?.path ?? 'tool.version';

function loop(draft: Draft, n: number): string[] {
  const repeat = named(draft, 'repeat');
  const over = repeat && n === 1 ? `$${repeat.path}` : '"ab"';
  const shown = repeat && n === 1 ? '$one.word' : '$one';
  const [head, ...inside] =
    draft.has('enumerate') && n === 1
      ? [`#for $place, $one in enumerate(${over})`, `--item-$place '${shown}'`]
      : draft.has('range') && n === 1
        ? ['#for $one in range(3)', '--item $one']
        : [`#for $one in ${over}`, `--item '${shown}'`];
  if (n === 1 && draft.has('break')) inside.push('#break');
  else if (n === 1 && draft.has('continue')) inside.push('#continue');
  return [head ?? '', ...inside, '#end for'];
}

/** Each parameter on the command line. */
function use(draft: Draft, path: string, type: string): string[] {
  switch (type) {
    case 'conditional':
    case 'repeat':
      return [];
    case 'boolean':
      return [`$${path}`];
    case 'integer':
    case 'float':
    case 'data_column':
      return [`--${path.replaceAll(/[._]/g, '-')} $${path}`];
    case 'data_collection':
      return draft.has('for')
        ? [`#for $element in $${path}`, "--element '$element'", '#end for']
        : [`--list '$${path}'`];
    default:
      return [`--${path.replaceAll(/[._]/g, '-')} '$${path}'`];
  }
}
