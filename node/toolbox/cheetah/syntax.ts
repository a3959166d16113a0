/** The shapes that parsing gives. `at` is the offset in the source, for messages. */
import type { Value } from './values.js';

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**' | '<<' | '>>' | '&' | '|' | '^';
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'is' | 'is not';

export interface Argument {
  value: Expression;
  /** `name=value`. */
  name?: string;
  /** `*value` or `**value`. */
  spread?: 1 | 2;
}

export type Expression = { at: number } & (
  | { kind: 'literal'; value: Value }
  /** `search`: found as Cheetah finds a `$name`. `auto`: a function is called when no `(` follows. */
  | { kind: 'name'; name: string; search: boolean; auto: boolean }
  /** `mapped`: a key of a dictionary counts before its attributes. */
  | { kind: 'attribute'; object: Expression; name: string; mapped: boolean; auto: boolean }
  | { kind: 'call'; callee: Expression; args: Argument[] }
  | { kind: 'index'; object: Expression; index: Expression }
  | { kind: 'slice'; object: Expression; bounds: (Expression | undefined)[] }
  | { kind: 'list' | 'tuple' | 'set'; items: Expression[] }
  | { kind: 'star'; value: Expression }
  /** Without a key: `**value`. */
  | { kind: 'dict'; entries: { key: Expression | undefined; value: Expression }[] }
  | {
      kind: 'comprehension';
      of: 'list' | 'set' | 'dict' | 'generator';
      item: Expression;
      value?: Expression;
      clauses: Clause[];
    }
  | { kind: 'lambda'; parameters: Parameter[]; body: Expression }
  | { kind: 'sign'; operator: '-' | '+' | '~'; operand: Expression }
  | { kind: 'not'; operand: Expression }
  /** Operators of one precedence, from the left. */
  | {
      kind: 'binary';
      level: number;
      first: Expression;
      rest: { operator: BinaryOperator; right: Expression; at: number }[];
    }
  | { kind: 'compare'; first: Expression; rest: { operator: Comparison; right: Expression }[] }
  | { kind: 'and' | 'or'; items: Expression[] }
  | { kind: 'if'; test: Expression; then: Expression; otherwise: Expression }
  | { kind: 'format'; parts: (string | FormatField)[] }
);

/** `{value!r:spec}` of an f-string. */
export interface FormatField {
  value: Expression;
  conversion: string | undefined;
  spec: (string | FormatField)[];
}

export interface Parameter {
  name: string;
  initial: Expression | undefined;
  /** `*name` or `**name`. */
  spread: 0 | 1 | 2;
}

/** `for target in source if tests…` of a comprehension. */
export interface Clause {
  target: Target;
  source: Expression;
  tests: Expression[];
}

export type Target = { at: number } & (
  | { kind: 'name'; name: string }
  | { kind: 'unpack'; targets: Target[] }
  | { kind: 'star'; target: Target }
  | { kind: 'item'; object: Expression; index: Expression }
  | { kind: 'attribute'; object: Expression; name: string }
);

export interface Handler {
  /** Undefined: catches everything. */
  type: Expression | undefined;
  name: string | undefined;
  body: TemplateNode[];
}

export type TemplateNode = { at: number } & (
  | { kind: 'text'; text: string }
  /** `extra`: arguments for a filter, evaluated and dropped, as Cheetah's own filter drops them. */
  | { kind: 'print'; value: Expression; extra?: Argument[] }
  | { kind: 'silent'; value: Expression }
  | { kind: 'if'; branches: { test: Expression; body: TemplateNode[] }[]; otherwise: TemplateNode[] }
  | { kind: 'for'; target: Target; source: Expression; body: TemplateNode[]; otherwise: TemplateNode[] }
  | { kind: 'repeat'; times: Expression; body: TemplateNode[]; otherwise: TemplateNode[] }
  | { kind: 'while'; test: Expression; body: TemplateNode[]; otherwise: TemplateNode[] }
  | { kind: 'set'; target: Target; operator: BinaryOperator | undefined; value: Expression; global: boolean }
  | { kind: 'delete'; targets: Target[] }
  | { kind: 'try'; body: TemplateNode[]; handlers: Handler[]; otherwise: TemplateNode[]; last: TemplateNode[] }
  | { kind: 'raise'; value: Expression | undefined; message: Expression | undefined }
  | { kind: 'assert'; test: Expression; message: Expression | undefined }
  | { kind: 'return'; value: Expression | undefined }
  /** A `#def` within a `#def`: a closure that writes where its surroundings write. */
  | { kind: 'def'; definition: Definition }
  | { kind: 'break' | 'continue' | 'stop' | 'pass' }
);

export interface Definition {
  name: string;
  parameters: Parameter[];
  body: TemplateNode[];
  at: number;
}

/** `import module as name`, `from module import member as name`. */
export interface Import {
  module: string;
  member: string | undefined;
  name: string;
  at: number;
}

/** A whole template. Imports and outer `#def`s stand before everything else, wherever they were written. */
export interface Program {
  body: TemplateNode[];
  definitions: Definition[];
  imports: Import[];
}
