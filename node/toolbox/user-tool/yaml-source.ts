/**
 * YAML with positions: the plain value for a schema, and for every place in it the line that somebody wrote. Aliases and
 * tags are refused: a tool needs neither, and both are ways to make much of little.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { printable } from '../../../protocol/runtime/errors.js';
import { malformed, type Spot } from '../errors.js';

export type Path = readonly PropertyKey[];

const BYTES_MAX = 1024 * 1024;
const DEPTH_MAX = 50;

export class YamlSource {
  private readonly lines = new LineCounter();
  private readonly root: Node | null;
  readonly value: unknown;

  /** Throws `toolbox/wrapper` for what is no YAML. */
  constructor(
    readonly text: string,
    readonly file: string,
  ) {
    if (text.length > BYTES_MAX) throw malformed(`it is larger than ${BYTES_MAX} bytes`, { file, line: 1 });
    try {
      const document = parseDocument(text, { lineCounter: this.lines, uniqueKeys: true, prettyErrors: false });
      const [error] = document.errors;
      if (error) {
        const { line, col } = this.lines.linePos(error.pos[0]);
        const deep = /call stack/.test(error.message);
        const reason = deep ? 'it is nested too deeply' : `it is not well-formed YAML: ${printable(error.message)}`;
        throw malformed(reason, { file, line, column: col });
      }
      this.root = document.contents;
      checkDepth(this.root, 0);
      this.value = document.toJS({ maxAliasCount: 0 });
    } catch (error) {
      if (error instanceof RangeError) throw malformed('it is nested too deeply', { file, line: 1 });
      if (error instanceof ReferenceError) throw malformed('it uses an alias (*name)', { file, line: 1 });
      throw error;
    }
  }

  /** Of the value at `path`, or of the deepest part of the path that is there. */
  spot(path: Path): Spot {
    return { file: this.file, ...this.at(this.find(path).start) };
  }

  /** Of a key of the map at `path`. */
  keySpot(path: Path, key: string): Spot {
    const { node } = this.find(path);
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
      : undefined;
    const start = isPair(pair) && isScalar(pair.key) ? pair.key.range?.[0] : undefined;
    return start === undefined ? this.spot(path) : { file: this.file, ...this.at(start) };
  }

  /** Where the lines of a text begin: in a block (`|`) below its header, else in the line of the text itself. */
  textSpot(path: Path): { spot: Spot; isBlock: boolean } {
    const { node } = this.find(path);
    const spot = this.spot(path);
    const isBlock = isScalar(node) && node.type === 'BLOCK_LITERAL';
    return { spot: isBlock ? { file: this.file, line: spot.line + 1 } : spot, isBlock };
  }

  private at(offset: number): { line: number; column: number } {
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  private find(path: Path): { node: Node | null; start: number } {
    let node = this.root;
    let start = node?.range?.[0] ?? 0;
    for (const key of path) {
      let inner: unknown;
      if (isMap(node)) {
        // A list may be written as a map of names: its nth entry is meant.
        const pair =
          typeof key === 'number'
            ? node.items[key]
            : node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
        const at = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
        if (at !== undefined) start = at;
        inner = pair?.value;
      } else if (isSeq(node)) inner = node.items[Number(key)];
      if (!isMap(inner) && !isSeq(inner) && !isScalar(inner)) break;
      node = inner;
      // A map begins at its first key and a text where it stands; a key in front of it was found already.
      if (isScalar(inner)) start = inner.range?.[0] ?? start;
      else if (typeof key === 'number') start = inner.range?.[0] ?? start;
    }
    return { node, start };
  }
}

function checkDepth(node: unknown, depth: number): void {
  if (depth > DEPTH_MAX) throw new RangeError('too deep');
  if (isMap(node)) for (const { value } of node.items) checkDepth(value, depth + 1);
  else if (isSeq(node)) for (const item of node.items) checkDepth(item, depth + 1);
}
