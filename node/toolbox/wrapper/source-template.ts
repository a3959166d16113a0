/**
 * A template in a wrapper. It is compiled when it is first needed, or checked when its tool is read for the first time;
 * its errors name the file and line that the text came from, be that a token in a macro file.
 */
import {
  type CompiledExpression,
  compileExpression,
  compileTemplate,
  type Template,
  TemplateError,
} from '../cheetah/template.js';
import { type Spot, translated } from '../errors.js';
import { spotOfLine, templateOf, type XmlElement } from './wrapper-xml.js';

export interface Rendering {
  /** Compile now, so that what is not supported is refused when the tool is read. */
  check: boolean;
  /** Whose Python the wrapper was written for: profile.ts. */
  python: 2 | 3;
}

export function templateIn(given: XmlElement, { check, python }: Rendering): Template {
  const { text, place } = templateOf(given);
  const where = (line: number) => spotOfLine(given, line - place.line);
  return lazyTemplate(() => placed(where, () => compileTemplate(text, place, { python })), where, check);
}

/** A template in an attribute, which has one line. */
export function templateAt(text: string, spot: Spot, { check, python }: Rendering): Template {
  const where = () => spot;
  return lazyTemplate(() => compileTemplate(text, spot, { python }), where, check);
}

/** Filters and validators are Python 3 whatever the profile says: Galaxy itself evaluates them. */
export function expressionIn(given: XmlElement, check: boolean): CompiledExpression {
  const { text, place } = templateOf(given);
  const where = (line: number) => spotOfLine(given, line - place.line);
  let compiled: CompiledExpression | undefined;
  const get = () => {
    compiled ??= placed(where, () => compileExpression(text, place));
    return compiled;
  };
  if (check) translated(true, get);
  return { evaluate: (names, limits) => placed(where, () => get().evaluate(names, limits)) };
}

function lazyTemplate(compile: () => Template, where: (line: number) => Spot, check: boolean): Template {
  let compiled: Template | undefined;
  const get = () => {
    compiled ??= compile();
    return compiled;
  };
  if (check) translated(true, get);
  return { render: (names, limits) => placed(where, () => get().render(names, limits)) };
}

function placed<T>(where: (line: number) => Spot, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { file, line } = where(error.line);
    if (file === error.file && line === error.line) throw error;
    throw error.movedTo(file, line);
  }
}
