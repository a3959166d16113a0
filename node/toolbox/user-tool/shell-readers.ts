/**
 * Which words of a simple command are read as code, and which commands read their standard input as code. Needed
 * because a value that is only a word to one shell is a program to the next one: `sh -c`, `python -c`, `eval`, `bash <<EOF`.
 *
 * An interpreter is looked for in every word, not only in the first: `timeout 5 sh -c`, `env X=1 sh -c`, `find -exec
 * sh -c` and wrappers that nobody listed are found alike. That refuses a little too much (`echo sh -c "$(inputs.x)"`).
 */

export interface Word {
  /** Without its quotes; a value in it is one `x`. */
  text: string;
  /** Target of `<`, `>` and the like: no argument. */
  isTarget: boolean;
}

export interface Reading {
  /** The word that is being read, when a value shall stand in it: why it may not. */
  refused: string | undefined;
  /** What comes on standard input is run. */
  input: boolean;
  /** The command itself does that, and nothing that only has its name among its words. */
  isOwn: boolean;
  /** Whose code: for the sentence. */
  name: string;
}

interface Language {
  /** Options (also in a cluster, `-ne`) whose next word, or rest, is a program. */
  code: RegExp;
  /** Options whose next word belongs to them. */
  takes: RegExp;
  /** The first operand: a file with a program (standard input without one), or the program itself. */
  operand: 'file' | 'program';
  /** Options that name the file with the program, where an operand else is the program. */
  file?: RegExp;
  /** Options count after operands too. */
  permutes?: boolean;
  /** With it nothing is run. */
  tells?: RegExp;
}

const SHELL: Language = {
  code: /^[-+][A-Za-z]*c[A-Za-z]*$|^--command(?:=|$)/,
  takes: /^[-+][A-Za-z]*[oO]$|^--(?:rcfile|init-file)$/,
  operand: 'file',
  tells: /^--(?:version|help)$/,
};
const AWK: Language = {
  code: /^-e|^--source(?:=|$)/,
  takes: /^-[FvlibEW]$|^--(?:assign|field-separator|load|include)$/,
  operand: 'program',
  file: /^-[fE]|^--(?:file|exec)(?:=|$)/,
};

const LANGUAGES: readonly [RegExp, Language][] = [
  [/^(?:ba|da|k|mk|z|a|c|tc|fi|r?ba|r)?sh$|^\$\{?(?:SHELL|BASH|0)\}?$/, SHELL],
  [/^su$|^script$/, { ...SHELL, takes: /^-[gGsu]$/, permutes: true }],
  [/^(?:python|pypy)[0-9.]*$/, { code: /^-[A-Za-z]*c/, takes: /^-[WXQ]$/, operand: 'file' }],
  [/^perl[0-9.]*$/, { code: /^-(?![IMm])[A-Za-z0-9.]*[eE]/, takes: /^-[IMm]$/, operand: 'file' }],
  [/^ruby[0-9.]*$/, { code: /^-(?![Ir])[A-Za-z0-9.]*e/, takes: /^-[IrCE]$/, operand: 'file' }],
  [
    /^(?:node|nodejs|bun|deno)$/,
    {
      code: /^-[pe]+$|^--(?:eval|print)(?:=|$)|^eval$/,
      takes: /^-[rC]$|^--(?:require|import|loader)$/,
      operand: 'file',
    },
  ],
  [/^(?:R|Rscript|littler)$/, { code: /^-e/, takes: /^-g$/, operand: 'file' }],
  [/^julia$/, { code: /^-[eE]|^--(?:eval|print)(?:=|$)/, takes: /^-[LptJC]$/, operand: 'file' }],
  [/^php[0-9.]*$/, { code: /^-[rBRE]|^--(?:run|process-\w+)(?:=|$)/, takes: /^-[cdz]$/, operand: 'file' }],
  [/^(?:lua|luajit)[0-9.]*$/, { code: /^-e/, takes: /^-l$/, operand: 'file' }],
  [/^(?:octave|octave-cli|gnuplot)$/, { code: /^-e|^--eval(?:=|$)/, takes: /^-p$/, operand: 'file' }],
  [/^(?:tclsh|expect|wish|m4|ed|ex|dc|groovy|scala)[0-9.]*$/, { code: /^-[ce]/, takes: /^$/, operand: 'file' }],
  [/^[gmn]?awk$/, AWK],
  [
    /^g?sed$/,
    {
      code: /^-[nrEsuz]*e|^--expression(?:=|$)/,
      takes: /^-l$|^--line-length$/,
      operand: 'program',
      file: /^-[nrEsuz]*f|^--file(?:=|$)/,
      permutes: true,
    },
  ],
];

/** Every word after these may be run, here or on another machine. */
const RUNS_ALL = /^(?:ssh|rsh|parallel|watch|at|batch)$/;
/** Builtins that read their words as commands, or as names in which bash evaluates `a[$(…)]`. */
const BUILTINS =
  /^(?:eval|let|trap|alias|read|unset|getopts|mapfile|readarray|compgen|complete|bind|enable|fc|coproc)$/;
const DECLARES = /^(?:declare|typeset|local|export|readonly)$/;
const PREFIXES =
  /^(?:if|then|else|elif|do|while|until|!|\{|time|command|builtin|exec|env|nohup|setsid|nice|ionice|stdbuf|timeout|sudo|busybox|xargs)$/;
const ASSIGNMENT = /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/;
const TELLS = /^(?:--version|--help|-[Vhv])$/;
const INPUT = /^(?:-|\/dev\/(?:stdin|fd\/\d+)|\/proc\/\w+\/fd\/\d+)$/;

const AS_COMMANDS = 'in a command that reads its arguments as commands';

/**
 * `words`: those that are complete. `current`: the one in which a value shall stand, as far as it is read; undefined when
 * the command has ended. `value`: what shall stand there.
 */
export function readingOf(all: readonly Word[], current?: Word, value = ''): Reading {
  const words = all.filter(({ isTarget }) => !isTarget).map(({ text }) => text);
  const here = current === undefined || current.isTarget ? undefined : current.text;
  const start = commandAt(words);
  const command = baseName(words[start] ?? '');
  if (start === words.length && here === '' && current !== undefined) {
    const named = words.slice(0, start).some((word) => !/^(?:if|then|else|elif|do|while|until|!|\{)$/.test(word));
    return { refused: named ? AS_COMMANDS : 'as the name of a command', input: false, isOwn: false, name: '' };
  }
  if (here !== undefined) {
    if (BUILTINS.test(command)) return { refused: AS_COMMANDS, input: false, isOwn: false, name: command };
    // `env -S` makes several words of one.
    const isSplit =
      words.some((word) => baseName(word) === 'env') && words.some((word) => /^-\w*S|^--split/.test(word));
    if (isSplit) return { refused: AS_COMMANDS, input: false, isOwn: false, name: 'env' };
    const rest = words.slice(start + 1);
    if (DECLARES.test(command) && (!ASSIGNMENT.test(here) || rest.some((word) => /^-\w*[in]/.test(word))))
      return { refused: AS_COMMANDS, input: false, isOwn: false, name: command };
    if (
      (command === 'printf' && rest[0] === '-v') ||
      (/^(?:test|\[)$/.test(command) && /^-[vR]$/.test(rest.at(-1) ?? ''))
    )
      return { refused: AS_COMMANDS, input: false, isOwn: false, name: command };
  }
  const byOther = words.some((word) => /^(?:xargs|parallel)$/.test(baseName(word)));
  let input = (command === '.' || command === 'source') && INPUT.test(words[start + 1] ?? '');
  let name = command;
  for (const [index, word] of words.entries()) {
    const base = baseName(word);
    if (RUNS_ALL.test(base)) {
      if (here !== undefined) return { refused: AS_COMMANDS, input: true, isOwn: false, name: base };
      input = true;
      name = base;
    }
    const language = LANGUAGES.find(([names]) => names.test(base))?.[1];
    if (language === undefined) continue;
    const found = programOf(language, words.slice(index + 1), here, value);
    if (found.isCode) {
      const isShell = language.code === SHELL.code;
      const refused = isShell ? AS_COMMANDS : `in the program that ${base} runs; give it as an argument`;
      return { refused, input: false, isOwn: false, name: base };
    }
    // `xargs sh -c 'tool {}'` makes a program of what comes in.
    if (found.input || (byOther && found.hasCode)) {
      input = true;
      name = base;
    }
  }
  return {
    refused: undefined,
    input,
    isOwn: input && name === command && !words.some((word) => /^-[vV]$/.test(word)),
    name,
  };
}

function programOf(
  language: Language,
  args: readonly string[],
  here: string | undefined,
  value: string,
): { isCode: boolean; input: boolean; hasCode: boolean } {
  const isShell = language.code === SHELL.code;
  let hasCode = false;
  let hasProgram = false;
  let isInput = false;
  let takes: 'code' | 'other' | undefined;
  let isOver = false;
  for (const word of args) {
    if (takes !== undefined) {
      takes = undefined;
      continue;
    }
    if (isOver || !/^[-+]./.test(word)) {
      if (!isOver && language.code.test(word)) {
        [takes, hasCode, hasProgram] = ['code', true, true];
        continue;
      }
      if (!hasProgram) {
        hasProgram = true;
        if (language.operand === 'program') hasCode = true;
        else isInput ||= INPUT.test(word);
      }
      if (!language.permutes) isOver = true;
      continue;
    }
    if (word === '--') isOver = true;
    else if (language.takes.test(word)) takes = 'other';
    else if (language.file?.test(word)) {
      hasProgram = true;
      if (/^-\w*[fE]$|^--\w+$/.test(word)) takes = 'other';
    } else if (language.code.test(word)) {
      hasCode = true;
      hasProgram = true;
      if (isShell || /^-\w*[ceErRpB]$|^--?[\w-]+$/.test(word)) takes = 'code';
    } else if (isShell && /^-[A-Za-z]*s/.test(word)) isInput = true;
    else if ((language.tells ?? TELLS).test(word)) hasProgram = true;
  }
  const input = isInput || (!hasProgram && language.operand === 'file');
  if (here === undefined) return { isCode: false, input, hasCode };
  // After `sh -c` everything is refused: its program may well say `eval "$1"`.
  if (isShell && hasCode) return { isCode: true, input, hasCode };
  if (takes !== undefined) return { isCode: takes === 'code', input, hasCode };
  if (here !== '' && /^[-+]/.test(here)) {
    // The rest of an option: `-e@`, `--eval=@`. What is not known to be harmless is refused.
    const isHarmless = isOver || language.takes.test(here.slice(0, 2)) || /^--?[\w-]+=/.test(here);
    return { isCode: !isOver && (language.code.test(here) || !isHarmless), input, hasCode };
  }
  const isOption =
    here === '' && value.startsWith('-') && !isOver && (!hasProgram || language.permutes === true || !args.length);
  return { isCode: isOption || (language.operand === 'program' && !hasProgram), input, hasCode };
}

/** Past keywords, assignments and programs that run the rest of their words. */
function commandAt(words: readonly string[]): number {
  let index = 0;
  let inPrefix = '';
  for (; index < words.length; index++) {
    const word = words[index] as string;
    const base = baseName(word);
    if (ASSIGNMENT.test(word)) continue;
    if (PREFIXES.test(base)) {
      inPrefix = base;
      continue;
    }
    // Options of a prefix, and what they or `timeout` take.
    if (inPrefix !== '' && (word.startsWith('-') || /^\d+(?:\.\d+)?[smhd]?$/.test(word))) continue;
    break;
  }
  return index;
}

function baseName(word: string): string {
  const base = word.slice(word.lastIndexOf('/') + 1);
  // `${folder}python`
  return /\}[^}]+$/.test(base) ? base.slice(base.lastIndexOf('}') + 1) : base;
}
