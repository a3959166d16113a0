/**
 * The tree of a template under construction: what stands open, where the next statement goes, and the text that waits.
 * Cheetah indents Python lines; here the same rules hang statements into bodies, without recursion.
 */
import { limitFault, syntaxFault } from './errors.js';
import type { Definition, Expression, Handler, TemplateNode } from './syntax.js';

const DEPTH_MAX = 100;

export type BlockName = 'if' | 'unless' | 'for' | 'while' | 'repeat' | 'try' | 'def';

interface Block {
  name: BlockName;
  at: number;
  /** Where its statements go at the moment. */
  body: TemplateNode[];
  /** The statement that `#else`, `#except` and the like continue; undefined in a `#def`. */
  node: TemplateNode | undefined;
  /** Text that waited outside when an outer `#def` began. */
  outside: string[];
  /** Its `#else` has been read. */
  ended: boolean;
}

export class Blocks {
  readonly definitions: Definition[] = [];
  private readonly root: TemplateNode[] = [];
  private readonly stack: Block[] = [];
  private pending: string[] = [];
  private pendingAt = 0;

  get body(): TemplateNode[] {
    return this.stack.at(-1)?.body ?? this.root;
  }

  get depth(): number {
    return this.stack.length;
  }

  /** How many `#def` stand open. */
  get definitionDepth(): number {
    return this.stack.reduce((count, { name }) => count + (name === 'def' ? 1 : 0), 0);
  }

  text(text: string, at: number): void {
    if (this.pending.length === 0) this.pendingAt = at;
    this.pending.push(text);
  }

  /** Takes away what waits of the current line: the white space before a directive. */
  dropLine(): void {
    const last = this.pending.at(-1);
    if (last === undefined) return;
    this.pending[this.pending.length - 1] = last.slice(0, Math.max(last.lastIndexOf('\n'), last.lastIndexOf('\r')) + 1);
  }

  commit(): void {
    const text = this.pending.join('');
    this.pending = [];
    if (text !== '') this.body.push({ kind: 'text', text, at: this.pendingAt });
  }

  push(node: TemplateNode): void {
    this.commit();
    this.body.push(node);
  }

  open(name: BlockName, node: TemplateNode, body: TemplateNode[]): void {
    this.push(node);
    this.enter({ name, at: node.at, body, node, outside: [], ended: false });
  }

  /** An outer `#def` stands for itself; one within another is a statement of it. */
  openDefinition(definition: Definition): void {
    const { at, body } = definition;
    if (this.definitionDepth > 0) {
      this.open('def', { kind: 'def', definition, at }, body);
      return;
    }
    this.definitions.push(definition);
    this.enter({ name: 'def', at, body, node: undefined, outside: this.pending, ended: false });
    this.pending = [];
  }

  private enter(block: Block): void {
    if (this.stack.length >= DEPTH_MAX) {
      const fault = limitFault(`more than ${DEPTH_MAX} nested directives`);
      fault.offset = block.at;
      throw fault;
    }
    this.stack.push(block);
  }

  close(name: string, at: number): void {
    const block = this.stack.at(-1);
    if (!block) throw syntaxFault(`'#end ${name}' without its beginning`, at);
    if (block.name !== name) throw syntaxFault(`expected '#end ${block.name}', found '#end ${name}'`, at);
    this.leave();
  }

  leave(): void {
    this.commit();
    const block = this.stack.pop();
    if (block?.name === 'def' && !block.node) this.pending = block.outside;
  }

  /** `#else`, `#elif`, `#except`, `#finally`. `short`: on one line, after a statement that is closed already. */
  continue(
    word: string,
    at: number,
    short: boolean,
    details: { test?: Expression | undefined; handler?: Handler },
  ): void {
    this.commit();
    const block = short ? undefined : this.stack.at(-1);
    const node = short ? this.body.at(-1) : block?.node;
    const body = node && continuation(word, node, details, block?.ended ?? false);
    if (!node || !body) throw syntaxFault(`'#${word}' without its beginning`, at);
    if (block) {
      block.body = body;
      block.ended ||= (word === 'else' && !details.test) || word === 'finally';
    } else this.enter({ name: 'if', at, body, node, outside: [], ended: false });
  }

  finish(): TemplateNode[] {
    const block = this.stack.at(-1);
    if (block) throw syntaxFault(`'#${block.name}' without '#end ${block.name}'`, block.at);
    this.commit();
    return this.root;
  }
}

/** The body that a continued statement goes on with; undefined when it cannot be continued so. */
function continuation(
  word: string,
  node: TemplateNode,
  { test, handler }: { test?: Expression | undefined; handler?: Handler },
  ended: boolean,
): TemplateNode[] | undefined {
  if (node.kind === 'try') {
    if (word === 'finally') return node.last;
    if (ended) return undefined;
    if (word === 'else') return node.handlers.length > 0 ? node.otherwise : undefined;
    if (word !== 'except' || !handler) return undefined;
    node.handlers.push(handler);
    return handler.body;
  }
  if (ended) return undefined;
  if (node.kind === 'if') {
    if (word === 'else' && !test) return node.otherwise;
    if ((word !== 'elif' && word !== 'else') || !test) return undefined;
    const body: TemplateNode[] = [];
    node.branches.push({ test, body });
    return body;
  }
  const isLoop = node.kind === 'for' || node.kind === 'while' || node.kind === 'repeat';
  return isLoop && word === 'else' && !test ? node.otherwise : undefined;
}
