/** The shapes that parsing gives. `at` is the offset in the source, for messages. */
import type { Value } from './values.js';

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'is' | 'is not';

export type Expression = { at: number } & (
  | { kind: 'literal'; value: Value }
  /** `auto`: after a `$`, something callable is called when no `(` follows. */
  | { kind: 'name'; name: string; dollar: boolean; auto: boolean }
  | { kind: 'attribute'; object: Expression; name: string; auto: boolean; dollar: boolean }
  | { kind: 'call'; callee: Expression; positional: Expression[]; named: { name: string; value: Expression }[] }
  | { kind: 'index'; object: Expression; index: Expression }
  | {
      kind: 'slice';
      object: Expression;
      start: Expression | undefined;
      stop: Expression | undefined;
      step: Expression | undefined;
    }
  | { kind: 'list' | 'tuple' | 'set'; items: Expression[] }
  | { kind: 'dict'; entries: { key: Expression; value: Expression }[] }
  | { kind: 'comprehension'; item: Expression; clauses: Clause[] }
  | { kind: 'negate' | 'plus' | 'not'; operand: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'compare'; first: Expression; rest: { operator: Comparison; right: Expression }[] }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'if'; test: Expression; then: Expression; otherwise: Expression }
);

/** `for target in source if tests…` of a comprehension. */
export interface Clause {
  target: Target;
  source: Expression;
  tests: Expression[];
}

export type Target =
  | { kind: 'name'; name: string; at: number }
  | { kind: 'unpack'; targets: Target[]; at: number }
  | { kind: 'item'; object: Expression; index: Expression; at: number };

export type TemplateNode = { at: number } & (
  | { kind: 'text'; text: string }
  | { kind: 'print'; value: Expression }
  | { kind: 'if'; branches: { test: Expression; body: TemplateNode[] }[]; otherwise: TemplateNode[] }
  | { kind: 'for'; target: Target; source: Expression; body: TemplateNode[] }
  | { kind: 'while'; test: Expression; body: TemplateNode[] }
  | { kind: 'set'; target: Target; operator: BinaryOperator | undefined; value: Expression }
  | { kind: 'silent'; value: Expression }
  | { kind: 'break' | 'continue' }
);
